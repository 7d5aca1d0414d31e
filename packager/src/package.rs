//! Packaging: fragmented-MP4 segments for HLS and DASH out of a plain MP4, without a copy of its media.
//!
//! `build` reads the sample tables once and leaves two things. The `Summary` is small, is stored with the rendition, and is
//! all that master playlists and init segments need. The index object holds, per track, a table of fixed-size
//! `SegmentEntry`s, and one record per segment with its run-length sample tables. So a media playlist costs one read of a
//! table, and a segment two reads that together stay within `MAX_SEGMENT_INDEX_BYTES`. `media_segment` turns them into an
//! inline `moof` and ranges of the plain MP4, in its own offsets.
//!
//! What players were measured to need rules the shape: every track begins at zero, media and presentation alike; the one
//! edit of an init segment takes off reorder delay or priming and nothing else; offsets are unsigned.
//!
//! Bounds: the object is at most four times as long as the `moov` and 256 bytes a segment of at most `MAX_SEGMENTS` a track,
//! plus five bytes for each of at most `MAX_SILENT_FRAMES` frames of silence. `build` allocates four times that, one bit a
//! sample and 4 MiB, and refuses movies of more than `MAX_SAMPLES` samples over all packaged tracks before it looks at one.
//! `media_segment` allocates no more than 4 MiB, whatever the record says.

mod bandwidth;
mod build;
mod chunks;
mod cut;
mod damage;
mod describe;
mod facts;
mod hex;
mod init;
mod moof;
mod picture;
mod points;
mod record;
mod samples;
mod segment;
mod silence;
mod summary;
mod timeline;
mod varint;
mod write;

pub use build::{Built, build, build_covering};
pub use chunks::{Chunk, Wish, chunk_bytes, chunks, end_of_last};
pub use init::init_segment;
pub use moof::media_segment;
pub use picture::picture_bytes;
pub use segment::{ENTRY_BYTES, Segment, SegmentEntry, SegmentPiece};
pub use summary::{AudioSummary, Kind, Summary, TrackSummary, VideoRange, VideoSummary};

/// What a segment needs of the index is at most this long.
pub const MAX_SEGMENT_INDEX_BYTES: u64 = 64 << 10;
/// The record of a segment is at most this long, which leaves room for its entry and some fifty around it.
pub const MAX_RECORD_BYTES: u64 = MAX_SEGMENT_INDEX_BYTES - (2 << 10);
/// A track of more segments is refused: a week of the shortest ones.
pub const MAX_SEGMENTS: usize = 302_400;
/// A segment of more samples is refused; ten seconds of the shortest Opus frames are 4,000.
pub const MAX_SEGMENT_SAMPLES: u32 = 16_384;
/// The inline bytes of a segment (`moof`, `mdat` header, silence) are fewer.
pub const MAX_INLINE_BYTES: usize = 1 << 20;
/// Silence longer than this is refused: a day at 48 kHz.
pub const MAX_SILENT_FRAMES: u32 = 4_050_000;
