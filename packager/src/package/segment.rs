//! One segment: its line in a track's table, and the pieces it is served from.

use std::ops::Range;

/// Bytes of an entry in the index object.
pub const ENTRY_BYTES: u64 = 40;

/// A segment's line in its track's table. Times are in ticks of the track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentEntry {
    /// Decode time of its first sample on the media's clock: the `tfdt`.
    pub start: u64,
    /// When it begins on the presentation's clock, which begins at 0; the segment before ends there. What playlists tell.
    pub presentation: u64,
    /// Length on the presentation's clock: what EXTINF and a segment timeline's `d` say.
    pub duration: u32,
    /// Bytes of the whole segment as it is served.
    pub size: u32,
    /// Bytes from its beginning to the end of its first sample, which for video is a clean entry: what an I-frame playlist
    /// names as a byte range.
    pub lead: u32,
    /// Where its record lies in the index object.
    pub record: Range<u64>,
}

impl SegmentEntry {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.start.to_be_bytes());
        out.extend(self.presentation.to_be_bytes());
        out.extend(self.duration.to_be_bytes());
        out.extend(self.size.to_be_bytes());
        out.extend(self.lead.to_be_bytes());
        let length = u32::try_from(self.record.end.saturating_sub(self.record.start)).unwrap_or(u32::MAX);
        out.extend(length.to_be_bytes());
        out.extend(self.record.start.to_be_bytes());
    }

    pub(super) fn read(bytes: &[u8; ENTRY_BYTES as usize]) -> Self {
        let word =
            |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b));
        let wide = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        let record = wide(32);
        Self {
            start: wide(0),
            presentation: wide(8),
            duration: word(16),
            size: word(20),
            lead: word(24),
            record: record..record.saturating_add(u64::from(word(28))),
        }
    }
}

/// A media segment as a list of pieces, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub pieces: Vec<SegmentPiece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentPiece {
    /// Bytes that are in no object.
    Inline(Vec<u8>),
    /// A range of the plain MP4, never empty.
    Media(Range<u64>),
}

impl SegmentPiece {
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Media(range) => range.end.saturating_sub(range.start),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        let entry = SegmentEntry {
            start: 1 << 40,
            presentation: 3 << 33,
            duration: 90_000,
            size: 5,
            lead: 4,
            record: (7 << 32)..(7 << 32) + 99,
        };
        let mut bytes = Vec::new();
        entry.write(&mut bytes);
        assert_eq!(SegmentEntry::read(bytes.first_chunk().unwrap()), entry);
        assert_eq!(bytes.len() as u64, ENTRY_BYTES);
    }
}
