//! What is made beside what plays, in the same pass: whoever looks at pictures on their way to the rungs, and whoever
//! collects text. One of them that fails is refused alone; nothing here ever ends the pass.

use std::{fs, mem};

use ffmpeg_next::{Packet, frame};
use reelgate_common::media_info::MediaInfo;

use super::{
    captions::Captions, clock::Clock, error::MediaError, input::Source, poster::Poster, preview::Preview,
    report::Report, storyboard::Storyboard,
};
use crate::{
    plan::{
        Extras as Planned,
        extras::{EmbeddedCaptions, StoryboardLayout},
    },
    task::protocol::Output,
};

/// Who looks at pictures, until it fails.
type Sink<T> = Option<Result<T, MediaError>>;

pub(super) struct Extras {
    clock: Clock,
    poster: Sink<Poster>,
    storyboard: Sink<Storyboard>,
    preview: Sink<Preview>,
    captions: Captions,
}

impl Extras {
    /// `clock` is that of the pictures, `origin` the microseconds that become zero.
    pub(super) fn new(source: &Source, media: &MediaInfo, planned: &Planned, clock: Clock, origin: i64) -> Self {
        let layout = StoryboardLayout::of(media).filter(|_| planned.storyboard);
        let embedded = EmbeddedCaptions::of(media, &planned.captions);
        Self {
            clock,
            poster: planned.poster.then(|| Ok(Poster::new(media.duration_ms))),
            storyboard: layout.map(|layout| Ok(Storyboard::new(layout, clock))),
            preview: planned.preview.then(|| Ok(Preview::new(media.duration_ms, clock))),
            captions: Captions::new(source, embedded, origin),
        }
    }

    /// Streams whose packets are wanted.
    pub(super) fn streams(&self) -> impl Iterator<Item = u32> {
        self.captions.streams()
    }

    /// Whether somebody still looks at pictures.
    pub(super) fn wants_pictures(&self) -> bool {
        open(&self.poster, Poster::is_settled)
            || open(&self.storyboard, Storyboard::is_settled)
            || open(&self.preview, Preview::is_settled)
    }

    /// Whether nothing that is still to come is wanted.
    pub(super) fn is_settled(&self) -> bool {
        !self.wants_pictures() && self.captions.is_empty()
    }

    pub(super) fn packet(&mut self, packet: &Packet) {
        self.captions.send(packet);
    }

    pub(super) fn look(&mut self, picture: &frame::Video, time_ms: u64) {
        attend(&mut self.poster, |poster| poster.look(picture, time_ms));
        attend(&mut self.storyboard, |storyboard| storyboard.look(picture, time_ms));
        attend(&mut self.preview, |preview| preview.look(picture, time_ms));
    }

    /// Those that have all their pictures, to be finished elsewhere while the film goes on.
    pub(super) fn take_settled(&mut self) -> Option<Self> {
        let poster = self.poster.take_if(|sink| settled(sink, Poster::is_settled));
        let storyboard = self.storyboard.take_if(|sink| settled(sink, Storyboard::is_settled));
        let preview = self.preview.take_if(|sink| settled(sink, Preview::is_settled));
        let any = poster.is_some() || storyboard.is_some() || preview.is_some();
        any.then(|| Self { clock: self.clock, poster, storyboard, preview, captions: Captions::default() })
    }

    /// What there is, to be finished elsewhere; nothing is left.
    pub(super) fn take(&mut self) -> Self {
        Self {
            clock: self.clock,
            poster: self.poster.take(),
            storyboard: self.storyboard.take(),
            preview: self.preview.take(),
            captions: mem::take(&mut self.captions),
        }
    }

    /// What has become of each.
    pub(super) fn finish(mut self) -> Vec<Report> {
        let (clock, mut told) = (self.clock, Vec::new());
        if let Some(poster) = self.poster {
            told.push(report("poster", poster.and_then(|poster| finish_poster(poster, clock))));
        }
        if let Some(storyboard) = self.storyboard {
            match storyboard.and_then(Storyboard::finish) {
                Ok(sheets) => told.extend(sheets.into_iter().map(Report::Output)),
                Err(error) => told.push(report("storyboard-1", Err(error))),
            }
        }
        if let Some(preview) = self.preview {
            told.push(report("preview", preview.and_then(finish_preview)));
        }
        told.extend(self.captions.finish().into_iter().map(|(name, captions)| report(&name, captions)));
        told
    }
}

fn open<T>(sink: &Sink<T>, is_settled: fn(&T) -> bool) -> bool {
    matches!(sink, Some(Ok(sink)) if !is_settled(sink))
}

fn settled<T>(sink: &Result<T, MediaError>, is_settled: fn(&T) -> bool) -> bool {
    sink.as_ref().is_ok_and(is_settled)
}

fn attend<T>(sink: &mut Sink<T>, look: impl FnOnce(&mut T) -> Result<(), MediaError>) {
    if let Some(Ok(open)) = sink
        && let Err(error) = look(open)
    {
        *sink = Some(Err(error));
    }
}

fn finish_poster(poster: Poster, clock: Clock) -> Result<Output, MediaError> {
    let made = poster.finish(clock)?.ok_or_else(|| MediaError::broken("no picture could be decoded"))?;
    image("poster", "poster.jpg", made)
}

fn finish_preview(preview: Preview) -> Result<Output, MediaError> {
    image("preview", "preview.webp", preview.finish()?)
}

fn image(name: &str, file: &str, (bytes, width, height): (Vec<u8>, u32, u32)) -> Result<Output, MediaError> {
    fs::write(file, bytes).map_err(MediaError::io("write an image"))?;
    let (width, height) = (Some(width), Some(height));
    Ok(Output { name: name.to_owned(), file: file.to_owned(), width, height, ..Output::default() })
}

fn report(name: &str, made: Result<Output, MediaError>) -> Report {
    match made {
        Ok(output) => Report::Output(output),
        Err(error) => Report::Refused { name: name.to_owned(), failure: error.failure() },
    }
}
