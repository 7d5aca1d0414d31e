//! Init segments.

use super::summary::TrackSummary;

/// The init segment of a track.
#[must_use]
pub fn init_segment(track: &TrackSummary) -> Vec<u8> {
    let _ = track;
    Vec::new()
}
