//! The rungs of one film: a thread per rung, fed by a higher one, so that a picture is decoded once and scaled down from
//! size to size.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use ffmpeg_next::{Packet, frame};

use super::{
    clock::Clock,
    encode::VideoSettings,
    error::MediaError,
    excerpts::{Closed, Excerpts},
    ffi,
    likeness::Yardstick,
    mux::SoundTrack,
    report::{Report, Tell},
    rung::{Feed, Finished, RungTask, SHARE, Shown},
    sound::Sound,
    threads::{encoder_threads, scaled_from},
};
use crate::{
    plan::{Plan, Rung, VideoStep},
    task::protocol::Output,
};

/// Pictures that may wait between two rungs.
const WAITING: usize = 6;

/// What ends a rung's thread.
type Outcome = (Rung, Result<Finished, MediaError>);

/// Running rungs, highest first.
pub(super) struct Cascade {
    feeds: Vec<SyncSender<Feed>>,
    /// Rungs say here that they have ended, in the order in which they do.
    ended: Receiver<Outcome>,
    /// And here what may be looked at before.
    excerpts: Receiver<(String, u32)>,
    workers: Vec<thread::JoinHandle<()>>,
    measured: bool,
}

/// What all rungs of a film have in common.
pub(super) struct Common<'a> {
    pub(super) plan: &'a Plan,
    pub(super) clock: Clock,
    pub(super) sound: Option<SoundTrack>,
    /// Nominal frames per second.
    pub(super) frame_rate: (u32, u32),
    pub(super) threads: u32,
    /// As the container says; of what is looked at as a whole in any case, zero.
    pub(super) duration_ms: u64,
    /// What becomes zero in the rungs' files.
    pub(super) begins: i64,
    /// How like the film each rung is is told.
    pub(super) measured: bool,
}

impl Cascade {
    /// Starts a thread for each rung that is encoded; what is copied is made by a remux.
    pub(super) fn start(common: &Common<'_>) -> Result<Self, MediaError> {
        let encoded = |rung: &&Rung| matches!(rung.video, VideoStep::Encode { .. });
        let rungs: Vec<&Rung> = common.plan.rungs.iter().filter(encoded).collect();
        let pixels: Vec<u64> = rungs.iter().map(|rung| u64::from(rung.width) * u64::from(rung.height)).collect();
        let threads = encoder_threads(common.threads, &pixels);
        let (feeds, inlets): (Vec<_>, Vec<_>) = rungs.iter().map(|_| sync_channel(WAITING)).unzip();
        let mut below: Vec<Vec<SyncSender<Feed>>> = vec![Vec::new(); rungs.len()];
        for (rung, above) in scaled_from(&pixels).into_iter().enumerate() {
            if let Some(above) = above {
                below[above].push(feeds[rung].clone());
            }
        }
        let ((tell, ended), (closed, excerpts)) = (channel(), channel());
        let mut workers = Vec::new();
        for (((rung, feed), below), threads) in rungs.into_iter().zip(inlets).zip(below).zip(threads) {
            workers.push(spawn(rung, common.task(rung, feed, below, threads, &closed), tell.clone())?);
        }
        Ok(Self { feeds, ended, excerpts, workers, measured: common.measured })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }

    /// Gives a picture to the highest rung. A rung that has ended has said why.
    pub(super) fn picture(&self, picture: frame::Video, duration: i64) -> Result<(), MediaError> {
        let Some(top) = self.feeds.first() else { return Ok(()) };
        let original = if self.measured { Some(ffi::share(&picture).map_err(MediaError::libav(SHARE))?) } else { None };
        drop(top.send(Feed::Picture(Shown { picture, duration, original })));
        Ok(())
    }

    /// Gives the same packets to every rung.
    pub(super) fn sound(&self, packets: &mut Vec<Packet>) {
        for packet in packets.drain(..) {
            for rung in &self.feeds {
                drop(rung.send(Feed::Sound(packet.clone())));
            }
        }
    }

    /// Tells of the excerpts that can be looked at by now.
    pub(super) fn tell_excerpts(&self, tell: Tell<'_>) {
        for (name, number) in self.excerpts.try_iter() {
            tell(Report::Excerpt { name, number });
        }
    }

    /// No more comes.
    pub(super) fn close(&mut self) {
        self.feeds.clear();
    }

    /// Ends the rungs and tells what became of each as it ends; gives the first error. Without `tell` nothing is wanted any
    /// more.
    pub(super) fn finish(&mut self, sound_ms: Option<u64>, mut tell: Option<Tell<'_>>) -> Option<MediaError> {
        self.close();
        let mut first_error = None;
        // The last rung's thread closes the channel.
        for (rung, outcome) in self.ended.iter() {
            let Some(tell) = &mut tell else { continue };
            match outcome {
                Ok(finished) => {
                    if let Some(likeness) = finished.likeness {
                        tell(Report::Measured { name: rung.name.clone(), likeness });
                    }
                    tell(Report::Output(output(&rung, &finished, sound_ms)));
                }
                Err(error) => {
                    tell(Report::Refused { name: rung.name.clone(), failure: error.failure() });
                    first_error.get_or_insert(error);
                }
            }
        }
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                first_error.get_or_insert_with(|| MediaError::broken("a rung's thread died"));
            }
        }
        first_error
    }
}

impl Common<'_> {
    fn task(
        &self,
        rung: &Rung,
        feed: Receiver<Feed>,
        below: Vec<SyncSender<Feed>>,
        threads: u32,
        closed: &Closed,
    ) -> RungTask {
        RungTask {
            file: PathBuf::from(format!("{}.mp4", rung.name)),
            width: rung.width,
            height: rung.height,
            clock: self.clock,
            begins: self.begins,
            grid: self.plan.grid.clone(),
            settings: VideoSettings { step: rung.video.clone(), threads, frame_rate: self.frame_rate },
            sound: self.sound.clone(),
            feed,
            below,
            yardstick: self.measured.then(|| Yardstick::new(self.clock)),
            excerpts: Excerpts::new(rung.name.clone(), self.duration_ms, self.clock, closed.clone()),
        }
    }
}

fn spawn(rung: &Rung, task: RungTask, tell: Sender<Outcome>) -> Result<thread::JoinHandle<()>, MediaError> {
    let builder = thread::Builder::new().name(rung.name.clone());
    let rung = rung.clone();
    let run = move || {
        let outcome = task.run();
        // Nobody listens when the film has failed.
        drop(tell.send((rung, outcome)));
    };
    builder.spawn(run).map_err(MediaError::io("start a thread"))
}

fn output(rung: &Rung, finished: &Finished, sound_ms: Option<u64>) -> Output {
    let codecs = finished.codecs.as_ref().map(|video| match sound_ms {
        Some(_) => format!("{video},{}", Sound::CODEC),
        None => video.clone(),
    });
    Output {
        name: rung.name.clone(),
        file: format!("{}.mp4", rung.name),
        width: Some(rung.width),
        height: Some(rung.height),
        begins_ms: Some(finished.begins_ms),
        duration_ms: Some(finished.duration_ms.max(sound_ms.unwrap_or(0))),
        codecs,
    }
}
