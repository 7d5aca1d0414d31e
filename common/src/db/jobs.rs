//! Jobs: claim confirmation, heartbeats, and every way an attempt can end. `attempt` is the fencing token.

use std::time::Duration;

use super::{Attempt, Census, Db, DbError, DueJob, Fenced, JobBeat, NotBegun, SilentJob, Verdict};
use crate::{
    file::Failure,
    ids::{JobId, OrgId, ProcessId},
    job::{Fence, JobPolicy, JobRecord},
};

impl Db {
    /// Confirms a claim: `attempt + 1`, job `running`, file `processing` (a `ready` file stays `ready`); one transaction.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_attempt(
        &self,
        _job: JobId,
        _worker: &ProcessId,
        _policy: &JobPolicy,
    ) -> Result<Result<Attempt, NotBegun>, DbError> {
        todo!()
    }

    /// Says that the attempt lives, and how far it is (0.0 to 1.0, never going back).
    ///
    /// # Errors
    /// The database is away.
    pub async fn heartbeat_job(&self, _fence: &Fence, _progress: f64) -> Result<JobBeat, DbError> {
        todo!()
    }

    /// The attempt has published or refused everything: job `done`, progress 1.0.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn finish_job(&self, _fence: &Fence) -> Result<Fenced, DbError> {
        todo!()
    }

    /// The task failed while its worker lived: counts a Failure; queued again with backoff, or dead at once when
    /// `failure.retryable` is false, or after `policy.max_failures`. A dead job makes a file without anything playable
    /// `failed`. `jitter` is a random number in 0.0..=1.0.
    ///
    /// # Errors
    /// The database is away.
    pub async fn fail_attempt(
        &self,
        _fence: &Fence,
        _failure: &Failure,
        _policy: &JobPolicy,
        _jitter: f64,
    ) -> Result<Verdict, DbError> {
        todo!()
    }

    /// We stopped the attempt (shutdown): queued again at once; counts for nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn interrupt_attempt(&self, _fence: &Fence) -> Result<Fenced, DbError> {
        todo!()
    }

    /// The worker was lost: counts a Loss; queued again with backoff, or dead after `policy.max_losses` (code `worker_lost`).
    /// Only while the job is `running` and, when `attempt` is given, in that attempt.
    ///
    /// # Errors
    /// The database is away.
    pub async fn lose_attempt(
        &self,
        _job: JobId,
        _attempt: Option<i64>,
        _policy: &JobPolicy,
        _jitter: f64,
    ) -> Result<Verdict, DbError> {
        todo!()
    }

    /// Running jobs without a heartbeat for `silent`, by the database's clock.
    ///
    /// # Errors
    /// The database is away.
    pub async fn silent_jobs(&self, _silent: Duration, _limit: u64) -> Result<Vec<SilentJob>, DbError> {
        todo!()
    }

    /// Queued jobs due within `horizon`, the most urgent first, at most `per_org` of one organisation.
    ///
    /// # Errors
    /// The database is away.
    pub async fn due_jobs(&self, _horizon: Duration, _limit: u64, _per_org: u64) -> Result<Vec<DueJob>, DbError> {
        todo!()
    }

    /// The embedded start: no other process can hold a lease, so every running job is queued again at once (a Loss).
    ///
    /// # Errors
    /// The database is away.
    pub async fn void_leases(&self) -> Result<u64, DbError> {
        todo!()
    }

    /// A file's jobs, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn jobs_of(&self, _org: &OrgId, _file: crate::ids::FileId) -> Result<Vec<JobRecord>, DbError> {
        todo!()
    }

    /// # Errors
    /// The database is away.
    pub async fn census(&self, _stuck_after: Duration) -> Result<Census, DbError> {
        todo!()
    }
}
