//! Encoding: one child makes all outputs of the plan, and each is verified, stored and published as soon as it is done.

use std::path::{Path, PathBuf};

use reelgate_common::{
    file::Failure,
    grid::SegmentGrid,
    media_info::{MediaInfo, Reason},
};

use super::{PROBED, Work, output, source::Source};
use crate::{
    halt::Halt,
    memory::Thrifty,
    plan::Plan,
    task::{
        parent::Order,
        protocol::{Event, Output, Request},
        words::{clean_failure, clean_reason},
    },
};

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Whether something playable was published.
    pub(super) playable: bool,
    /// The first output that could not be made.
    pub(super) refusal: Option<Failure>,
    /// What is wrong with the source although something was made of it; each code once.
    pub(super) warnings: Vec<Reason>,
}

/// One encoding under way.
struct Encoding<'a> {
    work: &'a Work,
    media: &'a MediaInfo,
    grid: SegmentGrid,
    folder: PathBuf,
    /// Outputs that have not been heard of.
    open: Vec<Expected>,
    made: Made,
}

/// What the plan says about one output; the child chooses no names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) what: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rung {
        width: u32,
        height: u32,
        rank: i32,
    },
    /// A track beside the default one is nothing to play alone.
    Audio {
        default: bool,
    },
    Poster,
}

impl Kind {
    fn is_playable(self) -> bool {
        matches!(self, Self::Rung { .. } | Self::Audio { default: true })
    }
}

/// # Errors
/// The task failed, the fence does not hold, or a service stays away. What was published stays.
pub(super) async fn encode(work: &Work, source: &Source, media: &MediaInfo, plan: Plan) -> Result<Made, Halt> {
    let file = source.whole(work).await?;
    let folder = work.scratch.folder("encode")?;
    let Thrifty { plan, threads, memory_bytes } = work.thrifty(media, plan);
    let (open, grid) = (expected(&plan), plan.grid.clone());
    let request = Request::Encode { media: media.clone(), plan, threads };
    let order = Order {
        request: &request,
        source: file,
        folder: &folder,
        scratch: work.scratch.clone(),
        limits: work.encode_limits(memory_bytes),
        progress: Some(work.progress.part(PROBED, 0.99)),
    };
    let mut task = work.tasks.start(order, &work.children).await.map_err(|error| Halt::disk(&error))?;
    let mut encoding = Encoding { work, media, grid, folder, open, made: Made::default() };
    while let Some(event) = task.next().await? {
        encoding.take(event).await?;
    }
    Ok(encoding.finish())
}

fn expected(plan: &Plan) -> Vec<Expected> {
    let rungs = plan.rungs.iter().map(|rung| Expected {
        name: rung.name.clone(),
        file: format!("{}.mp4", rung.name),
        what: Kind::Rung { width: rung.width, height: rung.height, rank: plan.rank(rung) },
    });
    let fixed = |name: &str, file: &str, what| Expected { name: name.to_owned(), file: file.to_owned(), what };
    let audio = plan.audio_only().map(|step| Expected {
        name: step.name.clone(),
        file: format!("{}.m4a", step.name),
        what: Kind::Audio { default: step.default },
    });
    let poster = plan.extras.poster.then(|| fixed("poster", "poster.jpg", Kind::Poster));
    rungs.chain(audio).chain(poster).collect()
}

impl Encoding<'_> {
    async fn take(&mut self, event: Event) -> Result<(), Halt> {
        match event {
            Event::Output(output) => self.take_output(&output).await,
            Event::Refused { name, failure } => {
                if let Some(expected) = self.close(&name) {
                    self.refuse(&expected, clean_failure(failure));
                }
                Ok(())
            }
            Event::Warned { reason } => {
                let heard = |warning: &Reason| self.made.warnings.iter().any(|other| other.code == warning.code);
                let new = clean_reason(reason).filter(|warning| !heard(warning));
                self.made.warnings.extend(new);
                Ok(())
            }
            // Not ours to hear, or heard already.
            Event::Probed { .. } | Event::Tried(_) | Event::Progress { .. } | Event::Failed { .. } | Event::Done => {
                Ok(())
            }
        }
    }

    async fn take_output(&mut self, output: &Output) -> Result<(), Halt> {
        // A name that nobody has asked for, or asked for once and heard twice.
        let Some(expected) = self.close(&output.name) else { return Ok(()) };
        match output::publish(self.work, self.media, &self.grid, &self.folder, &expected, output).await {
            Ok(()) => self.made.playable |= expected.what.is_playable(),
            Err(Halt::Failed(failure)) if !failure.retryable => self.refuse(&expected, failure),
            Err(halt) => return Err(halt),
        }
        // Room for the next output; a rung of a long film is large.
        remove(&self.folder.join(&expected.file));
        Ok(())
    }

    fn close(&mut self, name: &str) -> Option<Expected> {
        let at = self.open.iter().position(|expected| expected.name == name)?;
        Some(self.open.swap_remove(at))
    }

    fn refuse(&mut self, expected: &Expected, failure: Failure) {
        tracing::warn!(
            file.id = %self.work.attempt.file.id, name = %expected.name, code = %failure.code, message = %failure.message,
            "an output cannot be made; the others go on"
        );
        // A missing poster explains nothing to somebody who wants to play.
        if expected.what.is_playable() {
            self.made.refusal.get_or_insert(failure);
        }
    }

    fn finish(mut self) -> Made {
        for expected in std::mem::take(&mut self.open) {
            let message = format!("The task ended without making {}.", expected.name);
            self.refuse(&expected, Failure { code: "output_missing".to_owned(), message, retryable: true });
        }
        self.made
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(%error, "an output is left to the end of the attempt");
    }
}
