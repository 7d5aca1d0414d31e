//! What a lease shows: the bytes behind one address never change while somebody watches, also when better renditions
//! appear or the file is processed anew.

use serde::{Deserialize, Serialize};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// No `rendition`: the best one.
    Best,
    /// `rendition=` with this name.
    Named(String),
    /// Playlists and segments, whose addresses carry the generation.
    Packaged,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// The exact upload.
    Source,
    /// The rendition of this name.
    Rendition(String),
    /// All renditions of the generation.
    Packaged,
}

/// Objects of its generation stay in the store as long as its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub parameter: Parameter,
    pub generation: i64,
    pub shown: Shown,
}
