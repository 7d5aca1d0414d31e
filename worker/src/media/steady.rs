//! Whether sound that is AAC-LC already may be copied beside encoded pictures out of a container without an index. There only
//! its packets tell whether it begins with the film and goes on without a gap, so they are all read once, and none decoded.

use super::{
    copy::CopiedTrack,
    error::MediaError,
    ffi,
    input::Source,
    report::{Report, Tell},
};
use crate::plan::{Plan, SoundFlaw, SoundStep};

/// The plan with every open question about its sound answered, and the source at its start again. A plan without any costs
/// nothing.
pub(super) fn settled(source: &mut Source, plan: &Plan, origin: i64, tell: Tell<'_>) -> Result<Plan, MediaError> {
    let mut plan = plan.clone();
    let open: Vec<_> = plan.audio.iter_mut().filter(|step| is_open(step.step)).collect();
    if open.is_empty() {
        return Ok(plan);
    }
    let streams: Vec<u32> = open.iter().map(|step| step.stream).collect();
    let flaws = flaws(source, &streams, origin)?;
    for (step, flaw) in open.into_iter().zip(flaws) {
        step.step = step.step.settled(flaw.is_none());
        tell(Report::Settled { audio: step.name.clone(), flaw });
    }
    *source = source.again()?;
    Ok(plan)
}

fn is_open(step: SoundStep) -> bool {
    matches!(step, SoundStep::CopyIfSteady { .. })
}

/// A track that is read, until something is found wrong with it.
type Read = Result<CopiedTrack, SoundFlaw>;

/// What is wrong with each of `streams`.
fn flaws(source: &mut Source, streams: &[u32], origin: i64) -> Result<Vec<Option<SoundFlaw>>, MediaError> {
    let mut tracks: Vec<Read> = Vec::new();
    for stream in streams {
        tracks.push(Ok(CopiedTrack::open(source, source.stream(*stream)?, origin)?));
    }
    ffi::discard_all_but(&mut source.input, streams);
    while tracks.iter().any(Result::is_ok)
        && let Some(packet) = source.receive()?
    {
        let Some(at) = streams.iter().position(|stream| *stream as usize == packet.stream()) else { continue };
        let Ok(track) = &mut tracks[at] else { continue };
        let taken = track.take(packet);
        if let Some(flaw) = track.flaw().or(taken.is_err().then_some(SoundFlaw::Broken)) {
            tracks[at] = Err(flaw);
        }
    }
    let flaw = |track: Read| match track {
        Ok(track) if track.end_ms() > 0 => None,
        Ok(_) => Some(SoundFlaw::Empty),
        Err(flaw) => Some(flaw),
    };
    Ok(tracks.into_iter().map(flaw).collect())
}
