//! Thumbnails out of a film that may be sparse: of each only the group of pictures around its time is there.

use ffmpeg_next::frame;
use reelgate_common::media_info::VideoInfo;

use super::{
    clock::Clock,
    decode::VideoDecoder,
    error::MediaError,
    ffi::{self, StreamFacts},
    image::{self, Shrink},
    input::Source,
    picture::{Pictures, Target},
    probe::probe,
    report::{Report, Tell},
};
use crate::task::protocol::{Output, StillOrder};

/// Times are compared in microseconds.
const CLOCK: Clock = Clock::new(1_000_000);
/// Packets of one group of pictures at the most.
const MAX_PACKETS: u32 = 10_000;

/// Makes what is ordered; one that cannot be made is told and the rest goes on.
pub fn stills(source: &mut Source, orders: &[StillOrder], tell: Tell<'_>) -> Result<(), MediaError> {
    let video = probe(source)?.video.ok_or(MediaError::NotMedia)?;
    let stream = source.streams.iter().find(|stream| stream.index == video.stream).cloned();
    let stream = stream.ok_or(MediaError::NotMedia)?;
    ffi::discard_all_but(&mut source.input, &[stream.index]);
    for order in orders {
        tell(match still(source, &stream, &video, order) {
            Ok(output) => Report::Output(output),
            Err(error) => Report::Refused { name: order.file.clone(), failure: error.failure() },
        });
    }
    Ok(())
}

fn still(
    source: &mut Source,
    stream: &StreamFacts,
    video: &VideoInfo,
    order: &StillOrder,
) -> Result<Output, MediaError> {
    let shown = seen_at(source, stream, order.time_ms)?;
    let size = fit(video, order.width);
    let upright = upright(shown, video, size)?;
    let small = Shrink::new(size, order.format).small(&upright, CLOCK)?;
    let bytes = image::encode(&small, order.format)?;
    std::fs::write(&order.file, bytes).map_err(MediaError::io("write a still"))?;
    let (name, file) = (order.file.clone(), order.file.clone());
    Ok(Output { name, file, width: Some(size.0), height: Some(size.1), ..Output::default() })
}

/// The picture that is on the screen at a time: the last one up to then, else the first.
fn seen_at(source: &mut Source, stream: &StreamFacts, time_ms: u64) -> Result<frame::Video, MediaError> {
    let time = i64::try_from(time_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let mut decoder = VideoDecoder::open(source, stream, 1)?;
    // A time before the first picture is sought from the beginning.
    if source.input.seek(time, ..time.saturating_add(1)).is_err() {
        source.input.seek(0, ..).map_err(MediaError::libav("seek"))?;
    }
    let mut seen = None;
    for number in 0..MAX_PACKETS {
        let packet = source.receive()?;
        let beyond = |time_of: i64| CLOCK.convert(time_of, stream.time_base) > time;
        match packet {
            Some(packet) if number > 0 && packet.is_key() && packet.pts().is_some_and(beyond) => break,
            Some(packet) => decoder.send(&packet)?,
            None => break,
        }
        if look(&mut decoder, stream, time, &mut seen)? {
            return seen.ok_or_else(|| MediaError::broken("no picture could be decoded"));
        }
    }
    decoder.finish()?;
    look(&mut decoder, stream, time, &mut seen)?;
    seen.ok_or_else(|| MediaError::broken("no picture could be decoded"))
}

/// Takes what is decoded; true when a picture came that is seen only later.
fn look(
    decoder: &mut VideoDecoder,
    stream: &StreamFacts,
    time: i64,
    seen: &mut Option<frame::Video>,
) -> Result<bool, MediaError> {
    while let Some(picture) = decoder.receive()? {
        let at = picture.timestamp().map_or(0, |at| CLOCK.convert(at, stream.time_base));
        if at > time && seen.is_some() {
            return Ok(true);
        }
        *seen = Some(picture);
        if at > time {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Turned and in the colours that images are made of.
fn upright(mut shown: frame::Video, video: &VideoInfo, size: (u32, u32)) -> Result<frame::Video, MediaError> {
    let (width, height) = size;
    let target =
        Target { width, height, rotation: video.rotation, mirrored: video.mirrored, interlaced: video.interlaced };
    let mut pictures = Pictures::new(target, CLOCK, 1);
    shown.set_pts(Some(0));
    pictures.send(shown, 0)?;
    pictures.finish()?;
    pictures.receive()?.ok_or_else(|| MediaError::broken("a still was lost"))
}

/// As wide as asked but no wider than the film, even.
fn fit(video: &VideoInfo, width: u32) -> (u32, u32) {
    let (own_width, own_height) = (u64::from(video.width.max(1)), u64::from(video.height.max(1)));
    let width = u64::from(width).min(own_width);
    let even = |side: u64| u32::try_from(side.clamp(2, 16_384)).unwrap_or(2) & !1;
    (even(width), even(own_height * width / own_width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_is_even_and_never_wider_than_its_film() {
        let film = |width, height| VideoInfo { width, height, ..VideoInfo::default() };
        assert_eq!(fit(&film(1920, 1080), 320), (320, 180));
        assert_eq!(fit(&film(1080, 1920), 160), (160, 284));
        assert_eq!(fit(&film(161, 121), 640), (160, 120));
        assert_eq!(fit(&film(0, 0), 160), (2, 2));
    }
}
