//! Media segments.

use crate::error::Mp4Error;

use super::{
    segment::{Segment, SegmentEntry},
    summary::TrackSummary,
};

/// Segment `n` (from 0) of a track, from its entry and its record.
///
/// # Errors
/// When the record is not what `build` wrote.
pub fn media_segment(track: &TrackSummary, n: u32, entry: &SegmentEntry, record: &[u8]) -> Result<Segment, Mp4Error> {
    let _ = (track, n, entry, record);
    Err(Mp4Error::Unsupported("packaging"))
}
