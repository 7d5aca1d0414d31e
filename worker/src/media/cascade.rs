//! The rungs of one film: a thread per rung, each fed by the next higher one, so that a picture is decoded once and scaled
//! down from size to size.

use std::{
    path::PathBuf,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use ffmpeg_next::{Packet, frame};

use super::{
    clock::Clock,
    encode::VideoSettings,
    error::MediaError,
    report::{Report, Tell},
    rung::{Feed, Finished, RungTask, SoundTrack},
    sound::Sound,
};
use crate::{
    plan::{Plan, Rung, VideoStep},
    task::protocol::Output,
};

/// Pictures that may wait between two rungs.
const WAITING: usize = 6;

/// Running rungs, highest first.
pub(super) struct Cascade {
    feeds: Vec<SyncSender<Feed>>,
    workers: Vec<(Rung, thread::JoinHandle<Result<Finished, MediaError>>)>,
}

impl Cascade {
    /// Starts a thread per rung, lowest first.
    pub(super) fn start(
        plan: &Plan,
        clock: Clock,
        sound: Option<&SoundTrack>,
        settings: &dyn Fn(u8, &str) -> VideoSettings,
    ) -> Result<Self, MediaError> {
        let (mut feeds, mut workers) = (Vec::new(), Vec::new());
        let mut below = None;
        for rung in plan.rungs.iter().rev() {
            // What is copied is made by a remux.
            let VideoStep::Encode { crf, preset, .. } = &rung.video else { continue };
            let (sender, feed) = sync_channel(WAITING);
            let task = RungTask {
                file: PathBuf::from(format!("{}.mp4", rung.name)),
                width: rung.width,
                height: rung.height,
                clock,
                grid: plan.grid.clone(),
                settings: settings(*crf, preset),
                sound: sound.cloned(),
                feed,
                below: below.replace(sender.clone()),
            };
            let builder = thread::Builder::new().name(rung.name.clone());
            let worker = builder.spawn(move || task.run()).map_err(MediaError::io("start a thread"))?;
            feeds.push(sender);
            workers.push((rung.clone(), worker));
        }
        feeds.reverse();
        workers.reverse();
        Ok(Self { feeds, workers })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }

    /// Gives a picture to the highest rung. A rung that has ended has said why.
    pub(super) fn picture(&self, picture: frame::Video, duration: i64) {
        if let Some(top) = self.feeds.first() {
            drop(top.send(Feed::Picture(picture, duration)));
        }
    }

    /// Gives the same packets to every rung.
    pub(super) fn sound(&self, packets: &mut Vec<Packet>) {
        for packet in packets.drain(..) {
            for rung in &self.feeds {
                drop(rung.send(Feed::Sound(packet.clone())));
            }
        }
    }

    /// Ends the rungs and tells what became of each; gives the first error. Without `tell` nothing is wanted any more.
    pub(super) fn finish(&mut self, sound_ms: Option<u64>, mut tell: Option<Tell<'_>>) -> Option<MediaError> {
        self.feeds.clear();
        let mut first_error = None;
        for (rung, worker) in self.workers.drain(..) {
            let outcome = worker.join().unwrap_or_else(|_| Err(MediaError::broken("a rung's thread died")));
            let Some(tell) = &mut tell else { continue };
            match outcome {
                Ok(finished) => tell(Report::Output(output(&rung, &finished, sound_ms))),
                Err(error) => {
                    tell(Report::Refused { name: rung.name.clone(), failure: error.failure() });
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error
    }
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
        duration_ms: Some(finished.duration_ms.max(sound_ms.unwrap_or(0))),
        codecs,
    }
}
