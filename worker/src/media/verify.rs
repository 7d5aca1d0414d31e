//! A second look at a finished output, as a player would take it: opened, described, and decoded - whole when it is short or
//! when that is asked for, else its key frames and all of its first and last two seconds. What was decoded while the output
//! was being made, packet for packet, is not decoded again.

use std::collections::HashSet;

use reelgate_common::media_info::MediaInfo;

use super::{
    error::MediaError,
    ffi,
    input::Source,
    look::{Beginning, END_MS, Look, WHOLE_MS},
    probe::probe,
};

/// What the output holds.
pub fn verify(source: &mut Source, whole: bool, threads: u32, proven: &[String]) -> Result<MediaInfo, MediaError> {
    let mut media = probe(source)?;
    // The presentation's length by the edit lists; the media under it may be shorter by the last picture's reorder delay.
    if let Some(micros) = ffi::container_times(&source.input).0 {
        media.duration_ms = u64::try_from(micros).unwrap_or(0).div_ceil(1_000);
    }
    let proven: HashSet<&str> = proven.iter().map(String::as_str).collect();
    if whole || media.duration_ms <= WHOLE_MS {
        Look::at(source, &media, threads, &proven)?.run(source, &mut |_| true)?;
        return Ok(media);
    }
    let mut beginning = Beginning::new();
    Look::at(source, &media, threads, &proven)?.run(source, &mut |packet| {
        if packet.of_video { beginning.has(packet.key, packet.time_ms) || packet.key } else { packet.time_ms < END_MS }
    })?;
    let last = (i64::try_from(media.duration_ms).unwrap_or(i64::MAX) - END_MS).saturating_mul(1_000);
    source.input.seek(last, ..last).map_err(MediaError::libav("look for the last key frame"))?;
    Look::at(source, &media, threads, &proven)?.run(source, &mut |_| true)?;
    Ok(media)
}
