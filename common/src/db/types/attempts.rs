//! Of attempts: what one finds when it begins, and how it ends.

use super::SplitFilm;
use crate::{
    file::{Failure, FileRecord},
    job::{AttemptOutcome, Fence, JobRecord},
    rendition::Rendition,
    timestamp::Timestamp,
};

/// A job that this worker now runs, and its file.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub fence: Fence,
    pub job: JobRecord,
    pub file: FileRecord,
    /// Already published in this generation by an earlier attempt; must not be made again.
    pub published: Vec<Rendition>,
    /// Of a film that is encoded in parts.
    pub split: Option<SplitFilm>,
    /// Of a job that makes what a file has been watched for.
    pub errand: Option<Errand>,
}

/// What an attempt of an `earn` job is to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Errand {
    /// Names of renditions that the file's plan holds back.
    pub wanted: Vec<String>,
    /// That plan.
    pub plan: serde_json::Value,
}

/// Why `begin_attempt` gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    /// No such job, it is final, or its file is gone or of another generation: forget the entry.
    Obsolete,
    /// Another worker holds it and its heartbeat is fresh.
    Held,
    /// Written by a newer build than this one: hand it back.
    TooNew,
    /// Not due yet; by the database's clock.
    NotDue(Timestamp),
}

/// An output that was kept back, as the job remembers it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refusal {
    /// As the plan calls it.
    pub name: String,
    pub code: String,
    pub message: String,
}

/// Answer of a fenced write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    Written,
    /// The fence does not hold (another attempt, another generation, deleted): nothing was written.
    Stale,
}

/// Answer to `heartbeat_job`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobBeat {
    Held,
    /// The file was deleted or the job cancelled: stop.
    Cancelled,
    /// Another attempt holds the job: stop, publish nothing.
    Lost,
}

/// What became of a job whose attempt ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Queued again, not before this; by the database's clock.
    Again(Timestamp),
    /// Given up: job `dead`, file `failed` (or `ready` if something playable is published).
    Dead,
    /// The fence did not hold.
    Stale,
}

/// How an attempt ended, as its worker tells it.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    pub outcome: AttemptOutcome,
    pub failure: Option<Failure>,
    /// The last lines of the task that spoke last; empty when none said anything.
    pub last_words: String,
    /// The most that any of its tasks had in memory.
    pub peak_memory_bytes: Option<u64>,
}

/// One row of `attempts`.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    pub attempt: i64,
    pub worker: String,
    pub started_at: Timestamp,
    /// How far the job was when it began.
    pub progress: f64,
    /// `None` while it runs.
    pub ended_at: Option<Timestamp>,
    pub outcome: Option<AttemptOutcome>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub last_words: Option<String>,
    pub peak_memory_bytes: Option<u64>,
}
