//! Sound that was encoded for the copied rung, lent to the rungs that are encoded: the very packets, out of a file of their
//! own, kept up with the pictures.

use std::fs::File;

use ffmpeg_next::Packet;

use super::{copy::CopiedTrack, error::MediaError, ffi::StreamKind, input::Source, mux::SoundTrack};
use crate::{plan::AudioStep, task::protocol::SOUND_FILE};

pub(super) struct Lent {
    source: Source,
    track: CopiedTrack,
    language: Option<String>,
}

impl Lent {
    pub(super) fn open(step: &AudioStep) -> Result<Self, MediaError> {
        let file = File::open(SOUND_FILE).map_err(MediaError::io("open the lent sound"))?;
        let source = Source::open(file)?;
        let stream = source.streams.iter().find(|stream| stream.kind == StreamKind::Audio);
        let stream = stream.ok_or_else(|| MediaError::broken("there is no lent sound"))?.clone();
        // Made by the same plan, so its zero is that of the film.
        let track = CopiedTrack::open(&source, &stream, 0)?;
        Ok(Self { source, track, language: step.language.clone() })
    }

    pub(super) fn track(&self) -> SoundTrack {
        let (parameters, clock) = self.track.track();
        SoundTrack { parameters, clock, language: self.language.clone() }
    }

    pub(super) fn end_ms(&self) -> u64 {
        self.track.end_ms()
    }

    /// What is heard up to `until_ms`; without it all that is left.
    pub(super) fn take(&mut self, until_ms: Option<u64>, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        while until_ms.is_none_or(|until| self.end_ms() <= until)
            && let Some(packet) = self.source.receive()?
        {
            out.extend(self.track.take(packet)?);
        }
        Ok(())
    }
}
