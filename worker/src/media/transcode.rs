//! Making everything a plan asks for in one pass: which streams are read, where their time begins, and who makes what of
//! them.

use reelgate_common::{grid::SegmentGrid, media_info::MediaInfo};

use super::{
    clock::Clock,
    error::MediaError,
    ffi::StreamFacts,
    film::{Film, Reel},
    input::Source,
    report::Tell,
    sound::Sound,
    sound_file,
};
use crate::plan::{Plan, SoundStep, chosen_audio};

/// Makes the outputs of `plan` in the working directory. A rung that cannot be made is told and the rest goes on.
pub fn transcode(
    source: &mut Source,
    media: &MediaInfo,
    plan: &Plan,
    threads: u32,
    tell: Tell<'_>,
) -> Result<(), MediaError> {
    let origin = origin(source, media, &plan.grid);
    let sound = open_sound(source, plan, origin)?;
    match &media.video {
        Some(video) => {
            let stream = facts(source, video.stream)?;
            let reel = Reel { stream, sound, origin, threads };
            Film::new(source, media, plan, reel)?.run(source, plan, tell)
        }
        None => sound_file::make(source, media, sound, tell),
    }
}

fn facts(source: &Source, index: u32) -> Result<StreamFacts, MediaError> {
    let found = source.streams.iter().find(|stream| stream.index == index);
    found.cloned().ok_or_else(|| MediaError::broken("the source has changed since it was probed"))
}

/// Microseconds that become zero. The grid of a segment-safe source counts on the source's own timeline; all others begin
/// with their first picture or sound.
fn origin(source: &Source, media: &MediaInfo, grid: &SegmentGrid) -> i64 {
    if matches!(grid, SegmentGrid::Points { .. }) {
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

fn open_sound(source: &Source, plan: &Plan, origin: i64) -> Result<Option<Sound>, MediaError> {
    let Some(step) = plan.main_audio() else { return Ok(None) };
    let SoundStep::Encode { bitrate } = step.step else { return Ok(None) };
    Ok(Some(Sound::open(source, &facts(source, step.stream)?, origin, bitrate)?))
}
