//! HLS (RFC 8216) from summaries and segment tables: the master playlist, the media playlist of a track, its key frames
//! alone, and the playlist of a caption document. Pure text; sizes follow the number of segments.
//!
//! What players were measured to need: one target duration for all tracks of a file, exact durations that do not drift,
//! addresses relative to the playlist (so that whatever lies before them is inherited), and one group of audio.

mod attributes;
mod master;
mod media;

pub use master::hls_master;
pub use media::{hls_captions, hls_iframes, hls_media};
