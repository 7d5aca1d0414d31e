//! Encoding a few stretches of a film on trial, to see what each rung looks like and takes. Nothing of it is kept.

use reelgate_common::media_info::MediaInfo;

use super::{
    error::MediaError,
    film::{Film, Reel},
    input::Source,
    loudness::Corrections,
    report::Tell,
    sounds::Sounds,
    transcode::origin,
    window::Window,
};
use crate::plan::{Plan, quality::Stretch};

/// Of these libav knows where key frames lie.
const INDEXED: [&str; 3] = ["mov", "matroska", "avi"];
/// In others it finds a time and then waits for a key frame: about so far before must be begun.
const GROUP_MS: u64 = 3_000;

/// Encodes each stretch with the rungs of `plan`, pictures alone, and tells of each rung in each stretch how like the film it is. The
/// largest rung is the size that all are held against.
pub fn sample(
    source: &mut Source,
    media: &MediaInfo,
    plan: &Plan,
    stretches: &[Stretch],
    threads: u32,
    tell: Tell<'_>,
) -> Result<(), MediaError> {
    let video = media.video.as_ref().ok_or(MediaError::NotMedia)?;
    let stream = source.stream(video.stream)?.clone();
    let origin = origin(source, media);
    let lead_ms = if INDEXED.contains(&media.container.as_str()) { 0 } else { GROUP_MS };
    for stretch in stretches {
        let sounds = Sounds::open(source, plan, origin, &Corrections::default(), false)?;
        let window = Some(Window::between(stretch.from_ms, stretch.to_ms, lead_ms));
        let reel = Reel { stream: stream.clone(), sounds, origin, threads, window, measured: true };
        Film::new(source, media, plan, reel)?.run(source, plan, tell)?;
    }
    Ok(())
}
