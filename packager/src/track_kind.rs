//! What a track is for; on its own, for a track has sample entries, and how these are read depends on it.

/// What a handler is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackKind {
    Video,
    Audio,
    Text,
    /// Timecode, metadata, hints and whatever else.
    Other,
}
