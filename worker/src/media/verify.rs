//! A second look at a finished output, as a player would take it: opened, described, and decoded - whole when it is short,
//! else its key frames and all its sound.

use reelgate_common::media_info::MediaInfo;

use super::{
    decode::{AudioDecoder, VideoDecoder},
    error::MediaError,
    ffi::{self, StreamFacts},
    input::Source,
    probe::probe,
};

/// Outputs up to this long are decoded whole.
const WHOLE_MS: u64 = 10_000;

/// What the output holds.
pub fn verify(source: &mut Source) -> Result<MediaInfo, MediaError> {
    let mut media = probe(source)?;
    // The presentation's length by the edit lists; the media under it may be shorter by the last picture's reorder delay.
    if let Some(micros) = ffi::container_times(&source.input).0 {
        media.duration_ms = u64::try_from(micros).unwrap_or(0).div_ceil(1_000);
    }
    let stream = |index: u32| source.streams.iter().find(|stream| stream.index == index).cloned();
    let video: Option<StreamFacts> = media.video.as_ref().and_then(|video| stream(video.stream));
    let audio: Option<StreamFacts> = media.audio.first().and_then(|audio| stream(audio.stream));
    let mut pictures = video.as_ref().map(|video| VideoDecoder::open(source, video, 1)).transpose()?;
    if let Some(pictures) = pictures.as_mut().filter(|_| media.duration_ms > WHOLE_MS) {
        pictures.only_keys();
    }
    let mut sound = audio.as_ref().map(|audio| AudioDecoder::open(source, audio)).transpose()?;
    let wanted: Vec<u32> = video.iter().chain(&audio).map(|stream| stream.index).collect();
    ffi::discard_all_but(&mut source.input, &wanted);
    let (mut shown, mut heard) = (0_u64, 0_u64);
    loop {
        let packet = source.receive()?;
        let of = |stream: &Option<StreamFacts>| {
            packet
                .as_ref()
                .zip(stream.as_ref())
                .is_some_and(|(packet, stream)| packet.stream() == stream.index as usize)
        };
        if let Some(pictures) = &mut pictures {
            match &packet {
                Some(packet) if of(&video) => pictures.send(packet)?,
                Some(_) => {}
                None => pictures.finish()?,
            }
            while pictures.receive()?.is_some() {
                shown += 1;
            }
        }
        if let Some(sound) = &mut sound {
            match &packet {
                Some(packet) if of(&audio) => sound.send(packet)?,
                Some(_) => {}
                None => sound.finish()?,
            }
            while sound.receive()?.is_some() {
                heard += 1;
            }
        }
        if packet.is_none() {
            break;
        }
    }
    let damaged = pictures.as_ref().map_or(0, VideoDecoder::damaged) + sound.as_ref().map_or(0, AudioDecoder::damaged);
    if damaged > 0 || (pictures.is_some() && shown == 0) || (sound.is_some() && heard == 0) {
        return Err(MediaError::broken("the output does not decode"));
    }
    Ok(media)
}
