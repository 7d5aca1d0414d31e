//! Table `jobs`.

use sea_orm::{Set, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{parse, read_json, unsigned};
use crate::{
    db::{DbError, DueJob, NewJob},
    file::FileKind,
    ids::{FileId, JobId, OrgId},
    job::{JobKind, JobPolicy, JobRecord, JobState},
    lane::{Lane, LanePolicy},
    timestamp::Timestamp,
    traces::carried,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub file_id: Uuid,
    pub org_id: String,
    pub generation: i64,
    pub kind: String,
    pub state: String,
    pub priority: i32,
    pub payload_version: i32,
    pub attempt: i64,
    pub failures: i32,
    pub losses: i32,
    pub next_attempt_at: i64,
    pub heartbeat_at: Option<i64>,
    pub lease_ms: Option<i64>,
    /// Stays on a cancelled job until its worker has stopped.
    pub worker: Option<String>,
    pub progress: f64,
    pub last_error_code: Option<String>,
    pub last_error: Option<String>,
    pub plan: Option<String>,
    /// Of a `process` job whose film is encoded in parts: how, as its worker has written it, …
    pub split: Option<String>,
    /// … and in how many.
    pub parts: Option<i32>,
    /// What has been made and is not published: of a chunk its pieces, of a `process` job what is not made in parts.
    pub made: Option<String>,
    /// Of an `earn` job: the names of what it is to make, as JSON.
    pub wanted: Option<String>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub trace: Option<String>,
    #[serde(default = "small")]
    pub lane: String,
}

/// Of a row that was exported before there were lanes.
fn small() -> String {
    Lane::Small.as_str().to_owned()
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Spelt as in the index of running jobs, which a parameter would keep from being used.
pub(in crate::db) const RUNNING: &str = "state = 'running'";

/// What the column `kind` of a chunk begins with; its part's number follows. The table grants one row for each kind, file and
/// generation, and SQLite cannot take such a rule off a table.
const CHUNK: &str = "chunk/";
/// The chunks of a film.
pub(in crate::db) const CHUNKS: &str = "kind LIKE 'chunk/%'";

/// Whether a column `kind` is that of a chunk.
pub fn is_chunk(kind: &str) -> bool {
    kind.starts_with(CHUNK)
}

/// The column `kind` of a film's part.
pub(in crate::db) fn kind_of_chunk(part: u32) -> String {
    format!("{CHUNK}{part}")
}

impl Model {
    /// Of a chunk: which part of its film.
    pub(in crate::db) fn part(&self) -> Option<u32> {
        self.kind.strip_prefix(CHUNK)?.parse().ok()
    }

    fn read_kind(&self) -> Result<JobKind, DbError> {
        if self.part().is_some() { Ok(JobKind::Chunk) } else { parse(&self.kind) }
    }

    pub(in crate::db) fn is(&self, state: JobState) -> bool {
        self.state == state.as_str()
    }

    /// Whether a worker holds this job and has been heard of within the lease. A heartbeat further ahead than a lease is of
    /// before a step of the clock, and says nothing.
    pub(in crate::db) fn is_alive(&self, now: Timestamp) -> bool {
        match (&self.worker, self.heartbeat_at, self.lease_ms) {
            (Some(_), Some(heartbeat), Some(lease)) => now.0.abs_diff(heartbeat) < lease.unsigned_abs(),
            _ => false,
        }
    }

    /// Whether it may run. What would have to wait for longer than anything ever waits was put off before the clock was set
    /// back.
    pub(in crate::db) fn is_due(&self, now: Timestamp, policy: &JobPolicy) -> bool {
        self.next_attempt_at <= now.0 || self.next_attempt_at > now.plus(policy.longest_wait()).0
    }

    /// It may run from now on.
    pub(in crate::db) fn due(&self, now: Timestamp) -> DueJob {
        let priority = u8::try_from(self.priority).unwrap_or_default();
        DueJob {
            id: JobId(self.id),
            org_id: OrgId::new(self.org_id.clone()),
            lane: self.lane(),
            priority,
            run_at: now,
            due: true,
        }
    }

    pub(in crate::db) fn lane(&self) -> Lane {
        lane(&self.lane)
    }

    /// Its state and its progress.
    pub(in crate::db) fn standing(&self) -> Result<(JobState, f64), DbError> {
        Ok((parse(&self.state)?, self.progress))
    }

    pub(in crate::db) fn into_record(self) -> Result<JobRecord, DbError> {
        let (kind, part, lane) = (self.read_kind()?, self.part(), self.lane());
        Ok(JobRecord {
            id: JobId(self.id),
            file_id: FileId(self.file_id),
            org_id: OrgId::new(self.org_id),
            generation: self.generation,
            kind,
            part,
            state: parse(&self.state)?,
            priority: unsigned(self.priority.into())?,
            lane,
            payload_version: self.payload_version,
            attempt: self.attempt,
            failures: self.failures,
            losses: self.losses,
            next_attempt_at: Timestamp(self.next_attempt_at),
            heartbeat_at: self.heartbeat_at.map(Timestamp),
            worker: self.worker,
            progress: self.progress,
            last_error_code: self.last_error_code,
            last_error: self.last_error,
            plan: self.plan.as_deref().map(read_json).transpose()?,
            created_at: Timestamp(self.created_at),
            finished_at: self.finished_at.map(Timestamp),
            trace: self.trace,
        })
    }
}

/// The row of a job that has never run.
pub(in crate::db) fn row(new: &NewJob, file: &super::files::Model, lanes: &LanePolicy, now: Timestamp) -> ActiveModel {
    ActiveModel {
        lane: Set(lane_of(new.kind, file, lanes).as_str().to_owned()),
        id: Set(new.id.0),
        file_id: Set(file.id),
        org_id: Set(file.org_id.clone()),
        generation: Set(file.generation),
        kind: Set(new.kind.as_str().to_owned()),
        state: Set(JobState::Queued.as_str().to_owned()),
        priority: Set(new.priority.into()),
        payload_version: Set(new.kind.payload_version()),
        attempt: Set(0),
        failures: Set(0),
        losses: Set(0),
        next_attempt_at: Set(now.0),
        progress: Set(0.0),
        created_at: Set(now.0),
        trace: Set(carried()),
        ..Default::default()
    }
}

/// One of a newer build is passed off as small: workers that serve everything serve that.
pub(in crate::db) fn lane(word: &str) -> Lane {
    word.parse().unwrap_or(Lane::Small)
}

/// A kind of file that this build does not know is none that it would encode.
pub(in crate::db) fn lane_of(job: JobKind, file: &super::files::Model, lanes: &LanePolicy) -> Lane {
    lanes.of(job, file.kind.parse().unwrap_or(FileKind::Other), file.size_bytes.max(0).unsigned_abs())
}
