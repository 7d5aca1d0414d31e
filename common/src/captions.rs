//! Captions as cues: read from WebVTT and SubRip, written as WebVTT. What is written is always well-formed and holds nothing
//! but cues, whatever was read: styles, regions and notes stay behind. Pure; knows no file and no language.

mod block;
mod read;
mod srt;
mod text;
mod time;
mod vtt;

pub use read::read;
pub use text::{from_ass, from_srt, plain};
pub use vtt::write;

/// Most cues of one document; a day of a cue every two seconds.
pub const MAX_CUES: usize = 50_000;
/// Longest document, read or written.
pub const MAX_BYTES: usize = 4 << 20;

/// What is shown for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    pub start_ms: u64,
    /// After the start.
    pub end_ms: u64,
    /// WebVTT's cue settings; mostly empty.
    pub settings: String,
    /// Lines of WebVTT cue text, none of them empty.
    pub text: String,
}

/// Why a document is refused. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptionsError {
    #[error("the captions are not UTF-8 text")]
    NotText,
    #[error("the captions are neither WebVTT nor SubRip")]
    Unknown,
    #[error("line {line} of the captions should say when a cue is shown, as in 00:01.000 --> 00:04.000")]
    Timing { line: usize },
    #[error("the captions hold no cue")]
    Empty,
    #[error("the captions hold more than {MAX_CUES} cues or are longer than 4 MiB")]
    TooLong,
}
