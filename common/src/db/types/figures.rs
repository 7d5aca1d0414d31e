//! What is counted and looked through, of all organisations.

use std::time::Duration;

use crate::{
    file::FileState,
    ids::{FileId, JobId, OrgId},
    job::JobKind,
    key::Key,
    lane::Lane,
    storage::MultipartId,
};

/// A running job whose worker has not been heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilentJob {
    pub id: JobId,
    pub attempt: i64,
}

/// A deleted file whose objects may still lie in the store.
#[derive(Debug, Clone)]
pub struct Tombstone {
    pub file_id: FileId,
    pub org_id: OrgId,
    pub staging_key: Key,
    /// An unfinished multipart upload, to be aborted before the purge.
    pub multipart: Option<MultipartId>,
    /// A worker or a gateway may still be writing: purge objects, but keep the row until it has stopped.
    pub running: bool,
    pub deleted_for: Duration,
}

/// On its way, and nothing moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckFile {
    pub org_id: OrgId,
    pub file_id: FileId,
    pub state: FileState,
}

/// Jobs of one lane, kind and priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    pub lane: Lane,
    pub kind: JobKind,
    pub priority: u8,
    /// Due, and nobody has them.
    pub waiting: u64,
    /// Not due yet.
    pub delayed: u64,
    pub running: u64,
    /// How long the longest-waiting due job has been due.
    pub oldest_wait_ms: u64,
}

/// How often a file was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Views {
    /// Within the window that was asked about.
    pub window: u64,
    pub total: u64,
}

/// An earned rendition that nobody was shown for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColdRendition {
    pub org_id: OrgId,
    pub file_id: FileId,
    pub generation: i64,
    pub name: String,
}

/// An object of a rendition that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedObject {
    pub org_id: OrgId,
    pub file_id: FileId,
    pub generation: i64,
    pub attempt: i64,
    pub name: String,
}

/// Milliseconds that attempts for a file have taken, those that failed included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerTime {
    pub total_ms: u64,
    /// Of these for what it was watched for.
    pub earned_ms: u64,
}

/// Figures for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    pub dead_jobs: u64,
    /// Files that have been transient for too long with neither an upload nor a job behind them.
    pub stuck_files: u64,
}
