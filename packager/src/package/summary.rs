//! What is known of a packaged rendition without reading its index: enough for master playlists, manifests and init
//! segments, and where each track's table lies. Stored as JSON.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{
    hex,
    segment::{ENTRY_BYTES, SegmentEntry},
};

/// A packaged rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Video first, if there is one, then audio in the order of the file.
    pub tracks: Vec<TrackSummary>,
    /// Whole seconds, rounded up: no segment of any track is longer.
    pub target_duration: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Video,
    Audio,
}

/// One track. Times are in ticks of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackSummary {
    pub kind: Kind,
    /// In its init segment and fragments.
    pub id: u32,
    /// Ticks per second, never 0.
    pub timescale: u32,
    /// RFC 6381: `avc1.64001f`.
    pub codecs: String,
    /// ISO 639-2 or BCP 47, as the file says.
    pub language: Option<String>,
    /// Video, and the first audio track.
    pub is_default: bool,
    /// The ISO sample entry, rebuilt, header included.
    #[serde(with = "hex")]
    pub sample_entry: Vec<u8>,
    /// Where in the media the one edit begins: reorder delay or priming. DASH's `presentationTimeOffset`.
    pub media_time: u64,
    /// Of the presentation.
    pub duration: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoSummary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioSummary>,
    /// Bits per second over the whole track, with the boxes around the samples.
    pub average_bandwidth: u64,
    /// Bits per second of its heaviest stretch of segments between half and one and a half target durations long, as
    /// RFC 8216 4.1 measures; of the whole track when it is shorter than that.
    pub peak_bandwidth: u64,
    /// How many segments there are.
    pub segments: u32,
    /// Where its table begins in the index object.
    pub table: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoSummary {
    /// Pixels, as coded.
    pub width: u32,
    pub height: u32,
    /// Frames per second as numerator and denominator, reduced; the average when it varies.
    pub frame_rate: (u32, u32),
    pub video_range: VideoRange,
}

/// As HLS names them in VIDEO-RANGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VideoRange {
    #[default]
    Sdr,
    Hlg,
    Pq,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioSummary {
    pub channels: u32,
    pub sample_rate: u32,
}

impl TrackSummary {
    /// A track of which no more is known yet: the default one, of nothing.
    #[must_use]
    pub fn new(kind: Kind, id: u32, timescale: u32, codecs: impl Into<String>) -> Self {
        Self {
            kind,
            id,
            timescale,
            codecs: codecs.into(),
            language: None,
            is_default: true,
            sample_entry: Vec::new(),
            media_time: 0,
            duration: 0,
            video: None,
            audio: None,
            average_bandwidth: 0,
            peak_bandwidth: 0,
            segments: 0,
            table: 0,
        }
    }

    /// Where its table lies in the index object.
    #[must_use]
    pub fn table_range(&self) -> Range<u64> {
        self.table..self.table.saturating_add(u64::from(self.segments) * ENTRY_BYTES)
    }

    /// Where the entry of segment `n` (from 0) lies in the index object; nothing past the last.
    #[must_use]
    pub fn entry_range(&self, n: u32) -> Option<Range<u64>> {
        let start = self.table.saturating_add(u64::from(n) * ENTRY_BYTES);
        (n < self.segments).then_some(start..start.saturating_add(ENTRY_BYTES))
    }

    /// Reads a table, or any run of its entries. Bytes that are no whole entry are left out.
    #[must_use]
    pub fn read_table(bytes: &[u8]) -> Vec<SegmentEntry> {
        bytes.as_chunks().0.iter().map(SegmentEntry::read).collect()
    }
}
