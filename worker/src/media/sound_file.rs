//! One audio track as a file of its own: what a source without pictures becomes, and every track beside the default one.

use std::path::PathBuf;

use ffmpeg_next::Packet;

use super::{
    error::MediaError,
    mux::{Mp4, Track},
    report::{Report, Tell},
    sound::Sound,
    soundtrack::Soundtrack,
};
use crate::task::protocol::Output;

/// A file under way. What goes wrong with it is kept to its end, for the others go on.
pub(super) struct SoundFile {
    /// As the plan calls it.
    name: String,
    sound: Soundtrack,
    file: Result<Mp4, MediaError>,
    packets: Vec<Packet>,
}

impl SoundFile {
    pub(super) fn create(name: String, sound: Soundtrack) -> Self {
        let track = sound.track();
        let file = Mp4::create(&PathBuf::from(format!("{name}.m4a")), None, Some(track));
        Self { name, sound, file, packets: Vec::new() }
    }

    pub(super) fn stream(&self) -> u32 {
        self.sound.stream()
    }

    pub(super) fn end_ms(&self) -> u64 {
        self.sound.end_ms()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.file.is_err()
    }

    pub(super) fn damaged(&self) -> u32 {
        self.sound.damaged()
    }

    /// # Errors
    /// Its times are those of a bomb; all else waits for the end.
    pub(super) fn send(&mut self, packet: &Packet) -> Result<(), MediaError> {
        let Ok(file) = &mut self.file else { return Ok(()) };
        let sent = self.sound.send(packet, &mut self.packets).and_then(|()| write(file, &mut self.packets));
        match sent {
            Err(error @ MediaError::Libav { .. }) => self.file = Err(error),
            other => other?,
        }
        Ok(())
    }

    /// Closes the file and tells of it; gives what went wrong.
    pub(super) fn finish(self, tell: Tell<'_>) -> Option<MediaError> {
        let Self { name, mut sound, file, mut packets } = self;
        let closed = file.and_then(|mut file| {
            sound.finish(&mut packets)?;
            write(&mut file, &mut packets)?;
            if sound.end_ms() == 0 {
                return Err(MediaError::broken("no sound could be decoded"));
            }
            file.finish()
        });
        match closed {
            Ok(()) => {
                tell(Report::Output(output(name, sound.end_ms())));
                None
            }
            Err(error) => {
                tell(Report::Refused { name, failure: error.failure() });
                Some(error)
            }
        }
    }
}

fn write(file: &mut Mp4, packets: &mut Vec<Packet>) -> Result<(), MediaError> {
    packets.drain(..).try_for_each(|packet| file.write(Track::Audio, packet))
}

fn output(name: String, duration_ms: u64) -> Output {
    Output {
        file: format!("{name}.m4a"),
        name,
        duration_ms: Some(duration_ms),
        codecs: Some(Sound::CODEC.to_owned()),
        ..Output::default()
    }
}
