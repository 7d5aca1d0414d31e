//! Whether sound that is AAC-LC already may be copied beside encoded pictures out of a container without an index. There only
//! its packets tell whether it begins with the film and goes on without a gap, so they are all read once, and none decoded.

use super::{copy::CopiedTrack, error::MediaError, ffi, input::Source};
use crate::plan::{Plan, SoundStep};

/// The plan with every open question about its sound answered, and the source at its start again. A plan without any costs
/// nothing.
pub(super) fn settled(source: &mut Source, plan: &Plan, origin: i64) -> Result<Plan, MediaError> {
    let mut plan = plan.clone();
    let open: Vec<_> = plan.audio.iter_mut().filter(|step| is_open(step.step)).collect();
    if open.is_empty() {
        return Ok(plan);
    }
    let streams: Vec<u32> = open.iter().map(|step| step.stream).collect();
    let steady = steady(source, &streams, origin)?;
    for step in open {
        if let SoundStep::CopyIfSteady { bitrate } = step.step {
            step.step = if steady.contains(&step.stream) { SoundStep::Copy } else { SoundStep::Encode { bitrate } };
        }
    }
    *source = source.again()?;
    Ok(plan)
}

fn is_open(step: SoundStep) -> bool {
    matches!(step, SoundStep::CopyIfSteady { .. })
}

/// Those of `streams` that go on without a gap.
fn steady(source: &mut Source, streams: &[u32], origin: i64) -> Result<Vec<u32>, MediaError> {
    let mut tracks = Vec::new();
    for stream in streams {
        tracks.push(CopiedTrack::open(source, source.stream(*stream)?, origin)?);
    }
    ffi::discard_all_but(&mut source.input, streams);
    while !tracks.is_empty()
        && let Some(packet) = source.receive()?
    {
        let Some(at) = tracks.iter().position(|track| track.stream as usize == packet.stream()) else { continue };
        if tracks[at].take(packet).is_err() || !tracks[at].is_steady() {
            tracks.swap_remove(at);
        }
    }
    Ok(tracks.iter().filter(|track| track.end_ms() > 0).map(|track| track.stream).collect())
}
