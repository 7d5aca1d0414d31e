//! A source without pictures: its sound alone, as one file.

use std::path::PathBuf;

use reelgate_common::media_info::MediaInfo;

use super::{
    error::MediaError,
    ffi,
    input::Source,
    mux::{Mp4, Track},
    report::{Progress, Report, Tell},
    sound::Sound,
};
use crate::task::protocol::Output;

pub(super) fn make(
    source: &mut Source,
    media: &MediaInfo,
    sound: Option<Sound>,
    tell: Tell<'_>,
) -> Result<(), MediaError> {
    let mut sound = sound.ok_or(MediaError::NotMedia)?;
    ffi::discard_all_but(&mut source.input, &[sound.stream]);
    let track = sound.track();
    let mut file = Mp4::create(&PathBuf::from("audio.m4a"), None, Some((track.parameters, track.clock)))?;
    let mut packets = Vec::new();
    let mut progress = Progress::new(media.duration_ms);
    while let Some(packet) = source.receive()? {
        if packet.stream() == sound.stream as usize {
            sound.send(&packet, &mut packets)?;
        }
        for packet in packets.drain(..) {
            file.write(Track::Audio, packet)?;
        }
        progress.reached(sound.end_ms(), tell);
    }
    sound.finish(&mut packets)?;
    if sound.end_ms() == 0 {
        return Err(MediaError::broken("no sound could be decoded"));
    }
    for packet in packets {
        file.write(Track::Audio, packet)?;
    }
    file.finish()?;
    tell(Report::Output(Output {
        name: "audio".to_owned(),
        file: "audio.m4a".to_owned(),
        width: None,
        height: None,
        duration_ms: Some(sound.end_ms()),
        codecs: Some(Sound::CODEC.to_owned()),
    }));
    Ok(())
}
