//! Encoding one chunk of a film: every rung of the plan, pictures alone, each in a file whose clock begins with the chunk.

use reelgate_common::media_info::MediaInfo;
use reelgate_packager::package::Chunk;

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
use crate::plan::Plan;

/// Makes the rungs of `plan` in the working directory. `timescale` is that of the chunk's times.
pub fn chunk(
    source: &mut Source,
    media: &MediaInfo,
    plan: &Plan,
    (chunk, timescale): (&Chunk, u32),
    threads: u32,
    tell: Tell<'_>,
) -> Result<(), MediaError> {
    let video = media.video.as_ref().ok_or(MediaError::NotMedia)?;
    // The index counts from the presentation's own zero.
    if origin(source, media) != 0 {
        return Err(MediaError::broken("the film does not begin where its index says"));
    }
    let stream = source.stream(video.stream)?.clone();
    let sounds = Sounds::open(source, plan, 0, &Corrections::default(), false)?;
    let window = Some(Window::new(chunk, timescale));
    let reel = Reel { stream, sounds, origin: 0, threads, window, measured: false };
    Film::new(source, media, plan, reel)?.run(source, plan, tell)
}
