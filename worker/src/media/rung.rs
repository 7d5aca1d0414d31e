//! One rung on a thread of its own: takes the frames of a higher rung, scales them down, hands them on, encodes them, and
//! writes its MP4. A rung that fails goes on handing frames down, so that one bad rung never stops the others.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender},
};

use ffmpeg_next::{Packet, frame};
use reelgate_common::grid::SegmentGrid;

use super::{
    clock::Clock,
    encode::{VideoEncoder, VideoSettings},
    error::MediaError,
    excerpts::Excerpts,
    ffi,
    filter::VideoGraph,
    likeness::{Likeness, Yardstick},
    marks::Marks,
    mux::{Mp4, SoundTrack, Track},
};

/// For errors.
pub(super) const SHARE: &str = "share a picture";

/// A picture of the rung above.
pub(super) struct Shown {
    pub(super) picture: frame::Video,
    pub(super) duration: i64,
    /// The film's own, of which all rungs come; only where they are held against it.
    pub(super) original: Option<frame::Video>,
}

/// What reaches a rung.
pub(super) enum Feed {
    Picture(Shown),
    /// Encoded once, written into every rung.
    Sound(Packet),
}

pub(super) struct RungTask {
    pub(super) file: PathBuf,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) clock: Clock,
    /// What becomes zero in the file.
    pub(super) begins: i64,
    pub(super) grid: SegmentGrid,
    pub(super) settings: VideoSettings,
    pub(super) sound: Option<SoundTrack>,
    pub(super) feed: Receiver<Feed>,
    /// Rungs that are scaled from this one.
    pub(super) below: Vec<SyncSender<Feed>>,
    pub(super) excerpts: Excerpts,
    pub(super) yardstick: Option<Yardstick>,
}

/// A finished rung.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) duration_ms: u64,
    /// When the first picture is shown.
    pub(super) begins_ms: u64,
    pub(super) codecs: Option<String>,
    pub(super) likeness: Option<Likeness>,
}

impl RungTask {
    /// Runs until nobody feeds it any more.
    pub(super) fn run(mut self) -> Result<Finished, MediaError> {
        let mut scaler = None;
        let mut writing = Writing::new(&self);
        let mut outcome = Ok(());
        while let Ok(feed) = self.feed.recv() {
            match feed {
                Feed::Picture(mut shown) => {
                    // Without pictures the rungs below could not go on either.
                    shown.picture = self.scaled(&mut scaler, shown.picture)?;
                    self.hand_down(&shown)?;
                    outcome = outcome.and_then(|()| writing.picture(&mut self, shown));
                }
                Feed::Sound(packet) => outcome = outcome.and_then(|()| writing.sound(packet)),
            }
        }
        self.below.clear();
        outcome?;
        writing.finish(self.yardstick)
    }

    fn scaled(&self, scaler: &mut Option<VideoGraph>, picture: frame::Video) -> Result<frame::Video, MediaError> {
        if (picture.width(), picture.height()) == (self.width, self.height) {
            return Ok(picture);
        }
        let tags = ffi::color_tags(&picture);
        let graph = match scaler {
            Some(graph) => graph,
            None => {
                let spec = format!("scale={}:{}:flags=bicubic,format=yuv420p,setsar=1", self.width, self.height);
                scaler.insert(VideoGraph::new(&spec, &picture, self.clock, 1)?)
            }
        };
        graph.send(picture)?;
        let mut scaled = graph.receive()?.ok_or_else(|| MediaError::broken("the scaler swallowed a picture"))?;
        ffi::set_color_tags(&mut scaled, tags);
        Ok(scaled)
    }

    fn hand_down(&self, shown: &Shown) -> Result<(), MediaError> {
        for below in &self.below {
            // The rung below may have failed; that is its own matter.
            drop(below.send(Feed::Picture(shown.share()?)));
        }
        Ok(())
    }
}

impl Shown {
    fn share(&self) -> Result<Self, MediaError> {
        let share = |picture| ffi::share(picture).map_err(MediaError::libav(SHARE));
        let original = self.original.as_ref().map(share).transpose()?;
        Ok(Self { picture: share(&self.picture)?, duration: self.duration, original })
    }
}

/// Encoder and file, open from the first picture on.
struct Writing {
    marks: Marks,
    open: Option<(VideoEncoder, Mp4)>,
    /// Sound that came before the first picture.
    early: Vec<Packet>,
    /// The packet decoded last so far: only when it stays the last is it known how long it must last.
    held: Option<Packet>,
    /// When the first picture is shown.
    begin: Option<i64>,
    /// When the last picture has been shown.
    end: i64,
    clock: Clock,
}

impl Writing {
    fn new(task: &RungTask) -> Self {
        let marks = Marks::new(task.grid.clone(), task.clock);
        Self { marks, open: None, early: Vec::new(), held: None, begin: None, end: 0, clock: task.clock }
    }

    fn picture(&mut self, task: &mut RungTask, shown: Shown) -> Result<(), MediaError> {
        let Shown { mut picture, duration, original } = shown;
        if self.open.is_none() {
            let encoder = VideoEncoder::open(&picture, task.clock, &task.settings)?;
            let mut file = Mp4::create(&task.file, Some((encoder.parameters(), encoder.clock())), task.sound.clone())?;
            for packet in self.early.drain(..) {
                file.write(Track::Audio, packet)?;
            }
            self.open = Some((encoder, file));
        }
        let Some((encoder, file)) = &mut self.open else { return Ok(()) };
        let shown = picture.pts().ok_or_else(|| MediaError::broken("a picture lost its time"))?;
        let time = shown.saturating_sub(task.begins);
        picture.set_pts(Some(time));
        if let (Some(yardstick), Some(original)) = (&mut task.yardstick, &original) {
            yardstick.given(time, &picture, original)?;
        }
        self.begin.get_or_insert(time);
        self.end = self.end.max(time.saturating_add(duration));
        encoder.send(picture, self.marks.take(shown), duration)?;
        drain(encoder, &mut self.held, file, (Some(&mut task.excerpts), task.yardstick.as_mut()))
    }

    fn sound(&mut self, packet: Packet) -> Result<(), MediaError> {
        match &mut self.open {
            Some((_, file)) => file.write(Track::Audio, packet),
            None => {
                self.early.push(packet);
                Ok(())
            }
        }
    }

    fn finish(mut self, mut yardstick: Option<Yardstick>) -> Result<Finished, MediaError> {
        let (mut encoder, mut file) = self.open.ok_or_else(|| MediaError::broken("no picture could be decoded"))?;
        encoder.finish()?;
        // The whole is looked at as soon as an excerpt of these would be.
        drain(&mut encoder, &mut self.held, &mut file, (None, yardstick.as_mut()))?;
        if let Some(mut last) = self.held.take() {
            // The index adds up decode times, and the picture shown last and longest need not be the one decoded last.
            let display = last.pts().unwrap_or(self.end);
            last.set_duration(self.end.saturating_sub(display).max(1));
            file.write(Track::Video, last)?;
        }
        let codecs = encoder.codec_string();
        file.finish()?;
        let millis = |time| u64::try_from(self.clock.to_millis(time)).unwrap_or(0);
        let (begin, end) = (self.begin.unwrap_or(0), self.end);
        let likeness = yardstick.map(|yardstick| yardstick.finish(millis(end.saturating_sub(begin)))).transpose()?;
        Ok(Finished { duration_ms: millis(end), begins_ms: millis(begin), codecs, likeness })
    }
}

fn drain(
    encoder: &mut VideoEncoder,
    held: &mut Option<Packet>,
    file: &mut Mp4,
    (mut excerpts, mut yardstick): (Option<&mut Excerpts>, Option<&mut Yardstick>),
) -> Result<(), MediaError> {
    while let Some(packet) = encoder.receive()? {
        if let Some(excerpts) = &mut excerpts {
            excerpts.take(&packet, || encoder.parameters());
        }
        if let Some(yardstick) = &mut yardstick {
            yardstick.made(&packet, || encoder.parameters())?;
        }
        if let Some(before) = held.replace(packet) {
            file.write(Track::Video, before)?;
        }
    }
    Ok(())
}
