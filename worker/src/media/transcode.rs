//! Making everything a plan asks for in one pass: which streams are read, where their time begins, and who makes what of
//! them.

use reelgate_common::media_info::MediaInfo;

use super::{
    clock::Clock,
    error::MediaError,
    ffi::StreamFacts,
    film::{Film, Reel},
    input::Source,
    loudness,
    report::Tell,
    sounds::Sounds,
    steady,
    waveform::Waveform,
};
use crate::plan::{Plan, chosen_audio};

/// Makes the outputs of `plan` in the working directory, and with `keep_sound` the rungs' sound in a file of its own. A rung that cannot be made is told and the rest goes on.
pub fn transcode(
    source: &mut Source,
    media: &MediaInfo,
    plan: &Plan,
    (threads, keep_sound): (u32, bool),
    tell: Tell<'_>,
) -> Result<(), MediaError> {
    let origin = origin(source, media);
    let corrections = loudness::measure(source, plan, origin)?;
    let plan = &steady::settled(source, plan, origin, tell)?;
    let sounds = Sounds::open(source, plan, origin, &corrections, keep_sound)?;
    match &media.video {
        Some(video) => {
            let stream = source.stream(video.stream)?.clone();
            let reel = Reel { stream, sounds, origin, threads, window: None, measured: false };
            Film::new(source, media, plan, reel)?.run(source, plan, tell)
        }
        None => {
            let heard = chosen_audio(media).filter(|_| plan.extras.waveform);
            let waveform = heard.map(|track| Waveform::open(source, track.stream, origin));
            sounds.run(source, media, waveform, tell)
        }
    }
}

/// Microseconds that become zero. The grid of a segment-safe source counts on the source's own timeline; all others begin
/// with their first picture or sound, also where a remuxed rung has given the grid, for it begins there, too.
pub(super) fn origin(source: &Source, media: &MediaInfo) -> i64 {
    if media.segment_safe {
        return 0;
    }
    let wanted = |stream: &&StreamFacts| {
        media.video.as_ref().is_some_and(|video| video.stream == stream.index)
            || chosen_audio(media).is_some_and(|audio| audio.stream == stream.index)
    };
    let starts = source
        .streams
        .iter()
        .filter(wanted)
        .filter_map(|stream| Some(Clock::new(1_000_000).convert(stream.start?, stream.time_base)));
    let start = starts.min().unwrap_or(0);
    // Before an MP4's zero lies what its edit list cuts away.
    if media.container == "mov" { start.max(0) } else { start }
}
