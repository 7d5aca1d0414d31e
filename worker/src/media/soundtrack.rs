//! The sound that goes into every rung: the source's own AAC-LC packets, or ours.

use ffmpeg_next::Packet;

use super::{
    copy::CopiedTrack,
    error::MediaError,
    input::Source,
    loudness::Corrections,
    mux::SoundTrack,
    sound::{Sound, Wanted},
};
use crate::plan::{AudioStep, SoundStep};

pub(super) enum Soundtrack {
    Copied { track: Box<CopiedTrack>, language: Option<String> },
    Encoded(Box<Sound>),
}

impl Soundtrack {
    /// `origin` in microseconds becomes zero.
    pub(super) fn open(
        source: &Source,
        step: &AudioStep,
        origin: i64,
        corrections: &Corrections,
    ) -> Result<Self, MediaError> {
        let (stream, language) = (source.stream(step.stream)?, step.language.clone());
        let bitrate = match step.step {
            SoundStep::Copy => {
                return Ok(Self::Copied { track: Box::new(CopiedTrack::open(source, stream, origin)?), language });
            }
            SoundStep::Encode { bitrate } | SoundStep::CopyIfSteady { bitrate } => bitrate,
            SoundStep::Lent => return Err(MediaError::broken("what is lent lies in no track of the source")),
        };
        let correction = corrections.of(step.stream).map(str::to_owned);
        let sound = Sound::open(source, stream, origin, Wanted { bitrate, language, correction })?;
        Ok(Self::Encoded(Box::new(sound)))
    }

    pub(super) fn stream(&self) -> u32 {
        match self {
            Self::Copied { track, .. } => track.stream,
            Self::Encoded(sound) => sound.stream,
        }
    }

    pub(super) fn track(&self) -> SoundTrack {
        match self {
            Self::Copied { track, language } => {
                let (parameters, clock) = track.track();
                SoundTrack { parameters, clock, language: language.clone() }
            }
            Self::Encoded(sound) => sound.track(),
        }
    }

    pub(super) fn send(&mut self, packet: &Packet, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        match self {
            Self::Copied { track, .. } => {
                out.extend(track.take(packet.clone())?);
                Ok(())
            }
            Self::Encoded(sound) => sound.send(packet, out),
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        match self {
            Self::Copied { .. } => Ok(()),
            Self::Encoded(sound) => sound.finish(out),
        }
    }

    pub(super) fn end_ms(&self) -> u64 {
        match self {
            Self::Copied { track, .. } => track.end_ms(),
            Self::Encoded(sound) => sound.end_ms(),
        }
    }

    /// Packets that did not decode.
    pub(super) fn damaged(&self) -> u32 {
        match self {
            Self::Copied { .. } => 0,
            Self::Encoded(sound) => sound.damaged(),
        }
    }
}
