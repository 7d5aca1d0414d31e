//! From one audio track to AAC-LC packets: mixed down, brought to the wanted loudness, encoded once.

use ffmpeg_next::Packet;

use super::{
    encode::AudioEncoder,
    error::MediaError,
    ffi::StreamFacts,
    input::Source,
    mixdown::{Mixdown, Shape},
    mux::SoundTrack,
};

/// What is wanted of a track.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Bits per second.
    pub(super) bitrate: u32,
    pub(super) language: Option<String>,
    /// Filters that bring it to the wanted loudness.
    pub(super) correction: Option<String>,
}

pub(super) struct Sound {
    pub(super) stream: u32,
    mixdown: Mixdown,
    encoder: AudioEncoder,
    language: Option<String>,
}

impl Sound {
    /// RFC 6381 name of AAC-LC.
    pub(super) const CODEC: &'static str = "mp4a.40.2";

    pub(super) fn open(source: &Source, stream: &StreamFacts, origin: i64, wanted: Wanted) -> Result<Self, MediaError> {
        let Shape { rate, channels } = Shape::of(stream);
        let encoder = AudioEncoder::open(rate, channels, wanted.bitrate)?;
        let mixdown = Mixdown::open(source, stream, origin, encoder.frame_size())?.with_correction(wanted.correction);
        Ok(Self { stream: stream.index, mixdown, encoder, language: wanted.language })
    }

    pub(super) fn track(&self) -> SoundTrack {
        let (parameters, clock) = (self.encoder.parameters(), self.encoder.clock());
        SoundTrack { parameters, clock, language: self.language.clone() }
    }

    pub(super) fn send(&mut self, packet: &Packet, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        self.mixdown.send(packet)?;
        self.mixed(out)
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        self.mixdown.finish()?;
        self.mixed(out)?;
        self.encoder.finish()?;
        self.encoded(out)
    }

    /// Milliseconds encoded so far.
    pub(super) fn end_ms(&self) -> u64 {
        u64::try_from(self.encoder.clock().to_millis(self.mixdown.written())).unwrap_or(0)
    }

    /// Packets that did not decode.
    pub(super) fn damaged(&self) -> u32 {
        self.mixdown.damaged()
    }

    fn mixed(&mut self, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        while let Some(frame) = self.mixdown.receive() {
            self.encoder.send(&frame)?;
            self.encoded(out)?;
        }
        Ok(())
    }

    fn encoded(&mut self, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        while let Some(packet) = self.encoder.receive()? {
            out.push(packet);
        }
        Ok(())
    }
}
