//! Of films that are encoded in parts: how an attempt finds them, and what became of it or of a part.

use super::DueJob;
use crate::job::JobState;

/// A film that is encoded in parts, as an attempt finds it.
#[derive(Debug, Clone)]
pub struct SplitFilm {
    /// How, as the worker has written it that began it.
    pub split: serde_json::Value,
    /// What its own job has made and not published.
    pub kept: Option<serde_json::Value>,
    /// Of the film's own job; a chunk sees none. Those of which nobody has been told yet are missing.
    pub parts: Vec<Part>,
}

/// One part of it.
#[derive(Debug, Clone)]
pub struct Part {
    pub number: u32,
    pub state: JobState,
    /// What was made of it, in the words of the worker that made it.
    pub made: Option<serde_json::Value>,
    pub error: Option<String>,
}

/// What became of an attempt that leaves the rest to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parked {
    /// It is queued again when the last part is over.
    Waits,
    /// They are over already, and nothing was written: the next run goes on from here.
    Over,
    Stale,
}

/// What a finished part sets going.
#[derive(Debug, Clone, PartialEq)]
pub enum PartEnd {
    Written {
        /// How far the film is, 0.0 to 1.0.
        progress: f64,
        /// Further parts, or the film's own job.
        due: Vec<DueJob>,
    },
    Stale,
}
