//! Which bytes of a film it takes to see one picture: the samples from the key frame before it up to the next one. Pure.

use std::ops::Range;

use super::samples::{Sample, Samples};
use crate::{judge::shown_video, movie::Movie, track::Track};

/// The range of the plain MP4 that holds all samples needed to decode what is seen at `time_ms`; `None` when the tables are
/// inconsistent or there is no picture. Other tracks' samples may lie between.
#[must_use]
pub fn picture_bytes(movie: &Movie, time_ms: u64) -> Option<Range<u64>> {
    let track = shown_video(movie)?;
    if !track.tables.is_consistent() {
        return None;
    }
    let time = i128::from(time_ms) * i128::from(track.timescale) / 1_000 - i128::from(track.presentation_shift());
    let mut group: Option<Range<u64>> = None;
    let mut open = false;
    for sample in Samples::new(track) {
        let sample = sample.ok()?;
        if is_key(track, &sample) {
            if i128::from(sample.composition) > time && open {
                // Frames before it in time may lean on it.
                return group.map(|group| join(group, &sample));
            }
            group = None;
            open = true;
        }
        group = Some(match group {
            Some(group) => join(group, &sample),
            None => bytes(&sample),
        });
    }
    group
}

fn is_key(track: &Track, sample: &Sample) -> bool {
    track.tables.sync.as_ref().is_none_or(|keys| keys.binary_search(&sample.number).is_ok())
}

fn bytes(sample: &Sample) -> Range<u64> {
    sample.at..sample.at.saturating_add(u64::from(sample.size))
}

fn join(group: Range<u64>, sample: &Sample) -> Range<u64> {
    let other = bytes(sample);
    group.start.min(other.start)..group.end.max(other.end)
}
