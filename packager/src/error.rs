//! What can be wrong with an MP4, named by meaning. Nothing here is a fault of ours: every variant is about the input.

use crate::fourcc::FourCc;

/// Why bytes were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mp4Error {
    /// Fewer bytes than the box or field says.
    #[error("{what} is cut short")]
    Truncated { what: FourCc },
    /// A field contradicts the format.
    #[error("{what}: {why}")]
    Malformed { what: FourCc, why: &'static str },
    /// A box without which nothing can be done.
    #[error("{what} is missing")]
    Missing { what: FourCc },
    /// More of something than this crate takes.
    #[error("more than {limit} {what}")]
    Limit { what: &'static str, limit: u64 },
    /// Well-formed, but nothing this crate works with.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// A chunk that lies in no box which is kept.
    #[error("a chunk at offset {offset} lies outside the media data")]
    ChunkOutside { offset: u64 },
}
