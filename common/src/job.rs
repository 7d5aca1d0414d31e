//! Queued work: what to do, in which state it is, and the fence that every result is written under.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    closed_set::closed_set,
    ids::{FileId, JobId, OrgId},
    lane::Lane,
    timestamp::Timestamp,
};

/// The newest version of the job contract that this build understands. What it writes bears the oldest that will do
/// (`JobKind::payload_version`), so that workers of the version before go on while an upgrade is under way.
pub const PAYLOAD_VERSION: i32 = 3;

/// Priority of an upload's processing, 0 to 100, higher first.
pub const DEFAULT_PRIORITY: u8 = 50;

/// Priority of thumbnails: somebody waits for them.
pub const THUMBNAIL_PRIORITY: u8 = 90;

/// Priority of a chunk of a long film: whatever is short overtakes it.
pub const CHUNK_PRIORITY: u8 = 10;

/// Priority of what has been watched for: its file plays meanwhile, so whatever an upload waits for comes first.
pub const EARN_PRIORITY: u8 = 5;

closed_set! {
    pub enum JobKind {
        /// Probe a source and make everything that its plan says.
        Process = "process",
        /// Make the thumbnails that are asked for. One per generation, run again whenever there are more.
        Thumbnail = "thumbnail",
        /// Encode one part of a film that is encoded in parts. As many per generation as the film has parts.
        Chunk = "chunk",
        /// Make renditions that a file has been watched often enough for. One per generation, run again whenever there are more.
        Earn = "earn",
    }
}

impl JobKind {
    /// What a worker must understand to run it.
    #[must_use]
    pub const fn payload_version(self) -> i32 {
        match self {
            Self::Process | Self::Thumbnail => 1,
            Self::Chunk => 2,
            Self::Earn => 3,
        }
    }
}

closed_set! {
    /// `Queued` waits (also for its backoff), `Running` is held by a worker, `Split` waits for the jobs of its parts, the rest is
    /// final.
    pub enum JobState {
        Queued = "queued",
        Running = "running",
        /// Its film is being encoded in parts; queued again when the last of them is over.
        Split = "split",
        Done = "done",
        /// The dead letter: given up, with code and last error.
        Dead = "dead",
        Cancelled = "cancelled",
    }
}

closed_set! {
    /// How one attempt ended.
    pub enum AttemptOutcome {
        Finished = "finished",
        /// It has done what is not done in parts, and others make those.
        Split = "split",
        Failed = "failed",
        /// We stopped it; counts for nothing.
        Interrupted = "interrupted",
        /// A service was away for too long; counts for nothing.
        Away = "away",
        /// Its worker was not heard of any more, or another attempt has taken its place.
        Lost = "lost",
        Cancelled = "cancelled",
    }
}

/// The fencing token: a result is written only while it still holds in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    pub job_id: JobId,
    pub file_id: FileId,
    pub generation: i64,
    /// The nth run, counted in the database at claim; never a Redis counter.
    pub attempt: i64,
}

/// One row of `jobs`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    pub id: JobId,
    pub file_id: FileId,
    pub org_id: OrgId,
    pub generation: i64,
    pub kind: JobKind,
    /// Of a chunk: which part of its film, from 0 on.
    pub part: Option<u32>,
    pub state: JobState,
    pub priority: u8,
    /// Which workers it waits for.
    pub lane: Lane,
    pub payload_version: i32,
    /// Runs begun.
    pub attempt: i64,
    /// Runs that failed while their worker lived; counts against the limit.
    pub failures: i32,
    /// Runs whose worker was lost; has a limit of its own.
    pub losses: i32,
    pub next_attempt_at: Timestamp,
    pub heartbeat_at: Option<Timestamp>,
    pub worker: Option<String>,
    pub progress: f64,
    pub last_error_code: Option<String>,
    pub last_error: Option<String>,
    /// The plan with its reasons, as the worker stored it.
    pub plan: Option<serde_json::Value>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// What has made it (`traceparent`); its attempts go on with that.
    pub trace: Option<String>,
}

/// When to give a job up, and how long to wait before its next run. Config section `[jobs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobPolicy {
    pub max_failures: i32,
    pub max_losses: i32,
    pub backoff_base_ms: u64,
    pub backoff_max_ms: u64,
    /// Without a heartbeat for this long a worker counts as lost.
    pub lease_ms: u64,
    pub heartbeat_ms: u64,
}

impl Default for JobPolicy {
    fn default() -> Self {
        Self {
            max_failures: 3,
            max_losses: 20,
            backoff_base_ms: 2_000,
            backoff_max_ms: 300_000,
            lease_ms: 30_000,
            heartbeat_ms: 5_000,
        }
    }
}

impl JobPolicy {
    /// Longer than anything is ever put off, also by a process with other settings.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        Duration::from_millis(self.backoff_max_ms.saturating_mul(2)).saturating_add(Duration::from_secs(60))
    }

    /// Refuses values under which leases would lapse while their worker lives.
    ///
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.heartbeat_ms == 0 || self.heartbeat_ms * 3 > self.lease_ms {
            return Err("jobs.heartbeat_ms must be above 0 and at most a third of jobs.lease_ms".to_owned());
        }
        if self.max_failures < 1 || self.max_losses < 1 {
            return Err("jobs.max_failures and jobs.max_losses must be at least 1".to_owned());
        }
        Ok(())
    }
}
