//! Encoding: one child makes all outputs of the plan, and each is proven, stored and published as soon as it is done, beside
//! the others. Where the plan says so, one rung is made and published before the rest is begun.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use futures_util::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use reelgate_common::{
    db::Refusal,
    file::Failure,
    grid::SegmentGrid,
    media_info::{MediaInfo, Reason},
    step,
};

use super::{
    ENCODED, PROBED, Work,
    early::Early,
    expected::{Copied, Expected, Kind},
    extras,
    output::{self, Draft},
    passes::passes,
    remux,
    source::Source,
};
use crate::{
    halt::{Halt, is_lack},
    memory::Thrifty,
    plan::{AudioStep, Plan, SoundFlaw, SoundStep},
    spans::{Outputs, traced},
    task::{
        parent::Order,
        protocol::{Event, Output, Request},
        words::{clean_failure, clean_reason},
    },
};

/// Outputs that are proven and stored at the same time; each has a child of its own.
const AT_ONCE: usize = 4;

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Whether something playable was published.
    pub(super) playable: bool,
    /// The first output that could not be made.
    pub(super) refusal: Option<Failure>,
    /// What is wrong with the source although something was made of it; each code once.
    pub(super) warnings: Vec<Reason>,
    /// What became of sound that was to be copied if it goes on without a gap, by its name.
    pub(super) settled: Vec<(String, Option<SoundFlaw>)>,
    /// All that were kept back.
    pub(super) refusals: Vec<Refusal>,
    /// What the worker lacked for an output that is missing now and that another run can make.
    pub(super) lack: Option<Failure>,
}

/// One encoding under way.
struct Encoding<'a> {
    work: &'a Work,
    media: &'a MediaInfo,
    grid: SegmentGrid,
    folder: PathBuf,
    /// The sound of the rungs.
    spoken: Option<String>,
    /// Outputs that have not been heard of.
    open: Vec<Expected>,
    /// Outputs on their way to the public.
    publishing: FuturesUnordered<BoxFuture<'a, (Expected, Result<(), Halt>)>>,
    early: Early<'a>,
    spans: Outputs,
    made: Made,
}

/// Where the task of a pass works.
pub(super) fn folder(work: &Work, pass: usize) -> PathBuf {
    work.scratch.path().join(format!("encode-{pass}"))
}

/// With `keep_sound`, the rungs' sound lies in `SOUND_FILE` afterwards, in the folder of the first pass.
///
/// # Errors
/// The task failed, the fence does not hold, or a service stays away. What was published stays.
pub(super) async fn encode(
    work: &Work,
    source: &Source,
    media: &MediaInfo,
    plan: Plan,
    keep_sound: bool,
) -> Result<Made, Halt> {
    let file = source.whole(work).await?;
    let mut made = Made::default();
    for (number, (plan, (from, to))) in stretches(work, media, plan).into_iter().enumerate() {
        let file = file.try_clone().map_err(|error| Halt::disk(&error))?;
        let thrifty = work.thrifty(media, plan);
        let encoding = Encoding::new(work, media, &thrifty.plan, number)?.run(file, thrifty, keep_sound, (from, to));
        made.join(traced(step!("encode", reelgate.pass = number), encoding).await?);
    }
    Ok(made)
}

/// The passes, each with its part of the whole.
fn stretches(work: &Work, media: &MediaInfo, plan: Plan) -> Vec<(Plan, (f64, f64))> {
    let mut from = PROBED;
    let stretch = |(plan, share): (Plan, f64)| {
        let part = (from, from + share * (ENCODED - PROBED));
        from = part.1;
        work.rungs.expect(plan.rungs.iter().map(|rung| rung.name.clone()), part, media.duration_ms);
        (plan, part)
    };
    passes(plan).into_iter().map(stretch).collect()
}

impl Made {
    fn join(&mut self, later: Self) {
        self.playable |= later.playable;
        self.refusal = self.refusal.take().or(later.refusal);
        self.settled.extend(later.settled);
        self.refusals.extend(later.refusals);
        self.lack = self.lack.take().or(later.lack);
        later.warnings.into_iter().for_each(|warning| self.warn(warning));
    }

    fn warn(&mut self, warning: Reason) {
        if self.warnings.iter().all(|other| other.code != warning.code) {
            self.warnings.push(warning);
        }
    }
}

/// What the plan says of each output.
pub(super) fn expected(media: &MediaInfo, plan: &Plan) -> Vec<Expected> {
    let spoken = plan.main_audio().and_then(|step| step.language.clone());
    let rungs = plan.rungs.iter().map(|rung| Expected {
        language: spoken.clone().filter(|_| rung.audio),
        copied: Copied { pictures: false, sound: plan.main_audio().is_some_and(is_copied) },
        name: rung.name.clone(),
        file: format!("{}.mp4", rung.name),
        what: Kind::Rung { width: rung.width, height: rung.height, rank: plan.rank(rung) },
    });
    let audio = plan.audio_only().map(|step| Expected {
        language: step.language.clone(),
        copied: Copied { pictures: false, sound: is_copied(step) },
        name: step.name.clone(),
        file: format!("{}.m4a", step.name),
        what: Kind::Audio { default: step.default },
    });
    rungs.chain(audio).chain(extras::expected(media, &plan.extras)).collect()
}

/// Or may have been.
fn is_copied(step: &AudioStep) -> bool {
    matches!(step.step, SoundStep::Copy | SoundStep::CopyIfSteady { .. })
}

impl<'a> Encoding<'a> {
    fn new(work: &'a Work, media: &'a MediaInfo, plan: &Plan, number: usize) -> Result<Self, Halt> {
        let folder = work.scratch.folder(&format!("encode-{number}"))?;
        if plan.main_audio().is_some_and(|step| step.step == SoundStep::Lent) {
            remux::lay(work, &folder).map_err(|error| Halt::disk(&error))?;
        }
        Ok(Self {
            work,
            media,
            grid: plan.grid.clone(),
            early: Early::new(work, folder.clone()),
            folder,
            spoken: plan.main_audio().map(|step| step.name.clone()),
            open: expected(media, plan),
            publishing: FuturesUnordered::new(),
            spans: Outputs::default(),
            made: Made::default(),
        })
    }

    async fn run(
        mut self,
        file: File,
        thrifty: Thrifty,
        keep_sound: bool,
        (from, to): (f64, f64),
    ) -> Result<Made, Halt> {
        let work = self.work;
        let Thrifty { plan, threads, memory_bytes } = thrifty;
        let request = Request::Encode { media: self.media.clone(), plan, threads, keep_sound };
        let order = Order {
            request: &request,
            source: file,
            folder: &self.folder,
            scratch: work.scratch.clone(),
            limits: work.encode_limits(memory_bytes),
            progress: Some(work.progress.part(from, to)),
        };
        let mut task = work.tasks.start(order, &work.children).await.map_err(|error| Halt::disk(&error))?;
        self.spans = Outputs::begin(self.open.iter().map(|open| open.name.as_str()));
        let mut ended = None;
        while ended.is_none() || !self.publishing.is_empty() {
            tokio::select! {
                event = task.next(), if ended.is_none() && self.publishing.len() < AT_ONCE => match event {
                    Ok(Some(event)) => self.take(event),
                    Ok(None) => ended = Some(Ok(())),
                    // What it has finished is as good as if it had gone on.
                    Err(failure) => ended = Some(Err(failure)),
                },
                () = self.early.look() => {}
                Some((expected, outcome)) = self.publishing.next() => self.published(&expected, outcome)?,
            }
        }
        ended.unwrap_or(Ok(()))?;
        Ok(self.finish())
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Output(output) => self.take_output(output),
            Event::Excerpt { name, number } => {
                if let Some(expected) = self.open.iter().find(|open| open.name == name && open.is_rung()) {
                    self.early.add(&expected.name, number);
                }
            }
            Event::Refused { name, failure } => {
                if let Some(expected) = self.close(&name) {
                    self.not_made(&expected, clean_failure(failure));
                }
            }
            Event::Warned { reason } => {
                if let Some(warning) = clean_reason(reason) {
                    self.made.warn(warning);
                }
            }
            Event::Settled { audio, flaw } => self.settle(audio, flaw),
            // Not ours to hear, or heard already.
            Event::Probed { .. }
            | Event::Measured { .. }
            | Event::Looked { .. }
            | Event::Tried(_)
            | Event::Reached { .. }
            | Event::Progress { .. }
            | Event::Failed { .. }
            | Event::Done => {}
        }
    }

    /// Sound that is ours after all is ours to answer for. Names that the plan does not have are nobody's.
    fn settle(&mut self, audio: String, flaw: Option<SoundFlaw>) {
        let main = self.spoken.as_ref() == Some(&audio);
        let ours = |expected: &&mut Expected| expected.name == audio || (main && expected.is_rung());
        for expected in self.open.iter_mut().filter(ours).filter(|_| flaw.is_some()) {
            expected.copied.sound = false;
        }
        self.made.settled.push((audio, flaw));
    }

    fn take_output(&mut self, output: Output) {
        // A name that nobody has asked for, or asked for once and heard twice.
        let Some(expected) = self.close(&output.name) else { return };
        let (work, media, grid, folder) = (self.work, self.media, self.grid.clone(), self.folder.clone());
        let (proven, span) = (self.early.take(&expected.name), self.spans.encoded(&expected.name));
        if !self.open.iter().any(Expected::is_rung) {
            self.early.stop();
        }
        let publishing = async move {
            let draft = Draft { folder: &folder, output: &output, proven };
            let outcome = traced(span, output::publish(work, media, &grid, &expected, draft)).await;
            (expected, outcome)
        };
        self.publishing.push(publishing.boxed());
    }

    fn published(&mut self, expected: &Expected, outcome: Result<(), Halt>) -> Result<(), Halt> {
        match outcome {
            Ok(()) => {
                self.made.playable |= expected.what.is_playable();
                self.work.rungs.done(&expected.name);
            }
            Err(Halt::Failed(failure)) if !failure.retryable => self.refuse(expected, failure),
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

    /// The others go on in any case; what only the worker was too small for is made by another run.
    fn not_made(&mut self, expected: &Expected, failure: Failure) {
        self.spans.refused(&expected.name, &failure.code);
        // Room for the others.
        remove(&self.folder.join(&expected.file));
        if !is_lack(&failure) {
            return self.refuse(expected, failure);
        }
        tracing::warn!(
            file.id = %self.work.attempt.file.id, name = %expected.name, code = %failure.code,
            "the worker lacks something for an output; another run makes it"
        );
        self.made.lack.get_or_insert(failure);
    }

    fn refuse(&mut self, expected: &Expected, failure: Failure) {
        tracing::warn!(
            file.id = %self.work.attempt.file.id, name = %expected.name, code = %failure.code, message = %failure.message,
            "an output cannot be made; the others go on"
        );
        self.work.rungs.refused(&expected.name);
        let Failure { code, message, .. } = failure.clone();
        self.made.refusals.push(Refusal { name: expected.name.clone(), code, message });
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
