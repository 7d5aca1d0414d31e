//! Pure MP4 work: reading an index, judging what can be served as it is, and moving `moov` to the front without copying
//! media. No IO, no unsafe, no panics on any input, no allocation beyond a stated bound: a `Movie` takes at most three times
//! the bytes of the `moov` it was read from plus 32 KiB for each of at most `MAX_TRACKS` tracks, and nothing here ever
//! allocates by a number found in a file before that many bytes of the file have been seen.
//!
//! Why a parser of our own, after weighing the two crates at hand. `re_mp4` makes a record of every sample, loads the media
//! into memory, and indexes its tables unchecked: a hostile file panics. `mp4parse` is careful and its tables are run-length,
//! but a track's edit list is reduced to one delay and one media time, where we must know every edit; `avcC` is handed on as
//! bytes, without the SPS (interlacing, bit depth); and it does not write, while rewriting `stco`/`co64` with all else kept
//! byte for byte needs the raw boxes anyway. What is left after that is box headers and fixed tables, read here as well.
//!
//! A caller with range access walks the top level (`TopWalk`, 16 bytes a box), fetches `ftyp` and `moov` whole, and then
//! needs no more bytes: `parse_movie`, `judge`, `segment_grid_points`, `codecs`, `faststart` and `package::build` work from these.
#![forbid(unsafe_code)]

mod avc;
mod bits;
mod boxes;
mod bytes;
mod clean;
mod codec_string;
pub mod dash;
mod error;
mod esds;
mod extents;
mod faststart;
mod fourcc;
mod hevc;
mod judge;
mod language;
mod matrix;
mod movie;
pub mod package;
pub mod playlist;
pub mod presentation;
mod sample_entry;
mod tables;
mod track;
mod track_kind;
mod vui;

pub use avc::{AvcConfig, Sps};
pub use boxes::{BoxHeader, TopBox, TopWalk, read_header};
pub use clean::{CleanEntries, CleanEntry, MAX_SAMPLES, MIN_SEGMENT_SECONDS, clean_entries, segment_grid_points};
pub use codec_string::codecs;
pub use error::Mp4Error;
pub use esds::AacConfig;
pub use faststart::{Faststart, faststart};
pub use fourcc::FourCc;
pub use judge::{Reason, Safety, judge, shown_video, sounding_audio};
pub use language::language_tag;
pub use matrix::{Matrix, Orientation};
pub use movie::{MAX_MOOV_BYTES, MAX_TRACKS, Movie, parse_movie};
pub use sample_entry::{AudioEntry, Codec, SampleEntry, VideoEntry};
pub use tables::{ChunkOffsets, ChunkRun, OffsetRun, SampleSizes, SampleTables, TimeRun};
pub use track::{DataReference, Edit, Track};
pub use track_kind::TrackKind;
pub use vui::Colour;
