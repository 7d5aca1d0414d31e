//! Attempts: how a worker takes a job, says that it lives, and every way in which a run can end.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr};

use super::{
    Attempt, Db, DbError, Fenced, JobBeat, NotBegun, Verdict,
    entity::jobs,
    fence::{self, Locked},
    read, settle,
    transaction::WriteTx,
};
use crate::{
    file::{Failure, FileState},
    ids::{FileId, JobId, ProcessId},
    job::{Fence, JobPolicy, JobState, PAYLOAD_VERSION},
    queue::backoff::backoff,
    timestamp::Timestamp,
};

impl Db {
    /// Confirms a claim: `attempt + 1`, job `running`, file `processing` (a `ready` file stays `ready`); one transaction.
    /// A job whose worker has been silent for a lease is counted as a Loss first, and is then not due yet.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_attempt(
        &self,
        job: JobId,
        worker: &ProcessId,
        policy: &JobPolicy,
    ) -> Result<Result<Attempt, NotBegun>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock(&tx, job).await? else { return Ok(Err(NotBegun::Obsolete)) };
            let answer = match readiness(&locked, tx.now) {
                Readiness::Due => begin(&tx, locked, worker, policy).await?,
                Readiness::Not(why) => return Ok(Err(why)),
                Readiness::Silent => match lose(&tx, locked, policy, 1.0).await? {
                    Verdict::Again(due) => Err(NotBegun::NotDue(due)),
                    Verdict::Dead | Verdict::Stale => Err(NotBegun::Obsolete),
                },
            };
            tx.commit().await?;
            Ok(answer)
        })
        .await
    }

    /// Says that the attempt lives, and how far it is (0.0 to 1.0, never going back).
    ///
    /// # Errors
    /// The database is away.
    pub async fn heartbeat_job(&self, fence: &Fence, progress: f64) -> Result<JobBeat, DbError> {
        let progress = if progress.is_nan() { 0.0 } else { progress.clamp(0.0, 1.0) };
        self.in_time(async {
            let tx = self.write().await?;
            if beat(&tx, fence, progress).await? == 1 {
                tx.commit().await?;
                return Ok(JobBeat::Held);
            }
            let answer = match jobs::Entity::find_by_id(fence.job_id.0).one(&*tx).await? {
                None => JobBeat::Cancelled,
                Some(job) if job.is(JobState::Cancelled) => {
                    beat_cancelled(&tx, fence).await?;
                    JobBeat::Cancelled
                }
                Some(_) => JobBeat::Lost,
            };
            tx.commit().await?;
            Ok(answer)
        })
        .await
    }

    /// The attempt has published or refused everything: job `done`, progress 1.0. A file of which nothing playable was
    /// published becomes `failed` (`nothing_playable`), for it must not stay transient.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn finish_job(&self, fence: &Fence) -> Result<Fenced, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock(&tx, fence.job_id).await? else { return Ok(Fenced::Stale) };
            if !locked.is_held_by(fence) {
                let again = locked.is_attempt_of(fence) && locked.is_current() && locked.job.is(JobState::Done);
                settle::stopped(&tx, locked, fence).await?;
                tx.commit().await?;
                return Ok(if again { Fenced::Written } else { Fenced::Stale });
            }
            settle::done(&tx, locked).await?;
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }

    /// The task failed while its worker lived: counts a Failure; queued again with backoff, or dead at once when
    /// `failure.retryable` is false, or after `policy.max_failures`. A dead job makes a file without anything playable
    /// `failed`. `jitter` is a random number in 0.0..=1.0.
    ///
    /// # Errors
    /// The database is away.
    pub async fn fail_attempt(
        &self,
        fence: &Fence,
        failure: &Failure,
        policy: &JobPolicy,
        jitter: f64,
    ) -> Result<Verdict, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock(&tx, fence.job_id).await? else { return Ok(Verdict::Stale) };
            if !locked.is_held_by(fence) {
                settle::stopped(&tx, locked, fence).await?;
                tx.commit().await?;
                return Ok(Verdict::Stale);
            }
            let failures = locked.job.failures.saturating_add(1);
            let again = failure.retryable && failures < policy.max_failures;
            let due = again.then(|| tx.now.plus(wait(policy, failures, jitter)));
            let losses = locked.job.losses;
            let verdict = settle::ended(&tx, locked, settle::Counts { failures, losses }, failure, due).await?;
            tx.commit().await?;
            Ok(verdict)
        })
        .await
    }

    /// We stopped the attempt (shutdown): queued again at once; counts for nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn interrupt_attempt(&self, fence: &Fence) -> Result<Fenced, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock(&tx, fence.job_id).await? else { return Ok(Fenced::Stale) };
            if !locked.is_held_by(fence) {
                settle::stopped(&tx, locked, fence).await?;
                tx.commit().await?;
                return Ok(Fenced::Stale);
            }
            settle::queued(&tx, locked.job.into_active_model(), tx.now).await?;
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }

    /// The worker was lost: counts a Loss; queued again with backoff, or dead after `policy.max_losses` (code `worker_lost`).
    /// Only while the job is `running` and, when `attempt` is given, in that attempt.
    ///
    /// # Errors
    /// The database is away.
    pub async fn lose_attempt(
        &self,
        job: JobId,
        attempt: Option<i64>,
        policy: &JobPolicy,
        jitter: f64,
    ) -> Result<Verdict, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock(&tx, job).await? else { return Ok(Verdict::Stale) };
            let meant = attempt.is_none_or(|attempt| attempt == locked.job.attempt);
            if !meant || !locked.is_current() || !locked.job.is(JobState::Running) {
                return Ok(Verdict::Stale);
            }
            let verdict = lose(&tx, locked, policy, jitter).await?;
            tx.commit().await?;
            Ok(verdict)
        })
        .await
    }

    /// The embedded start: no other process can hold a lease, so every running job is queued again at once (a Loss),
    /// or dead when the default limit of losses is reached: a job that takes the whole process down must not do so for ever.
    ///
    /// # Errors
    /// The database is away.
    pub async fn void_leases(&self) -> Result<u64, DbError> {
        let running = jobs::Entity::find().filter(jobs::Column::State.eq(JobState::Running.as_str()));
        let running = self.in_time(async { Ok(running.all(&self.connection).await?) }).await?;
        let at_once = JobPolicy { backoff_base_ms: 0, backoff_max_ms: 0, ..JobPolicy::default() };
        let mut voided = 0;
        for job in running {
            let verdict = self.lose_attempt(JobId(job.id), Some(job.attempt), &at_once, 0.0).await?;
            voided += u64::from(verdict != Verdict::Stale);
        }
        Ok(voided)
    }
}

enum Readiness {
    Due,
    /// Held by a worker that has not been heard of for a lease.
    Silent,
    Not(NotBegun),
}

fn readiness(locked: &Locked, now: Timestamp) -> Readiness {
    let job = &locked.job;
    if !locked.is_current() {
        return Readiness::Not(NotBegun::Obsolete);
    }
    if job.payload_version > PAYLOAD_VERSION {
        return Readiness::Not(NotBegun::TooNew);
    }
    if job.is(JobState::Running) {
        return if job.is_alive(now) { Readiness::Not(NotBegun::Held) } else { Readiness::Silent };
    }
    if !job.is(JobState::Queued) {
        return Readiness::Not(NotBegun::Obsolete);
    }
    if job.next_attempt_at > now.0 {
        return Readiness::Not(NotBegun::NotDue(Timestamp(job.next_attempt_at)));
    }
    Readiness::Due
}

async fn begin(
    tx: &WriteTx,
    locked: Locked,
    worker: &ProcessId,
    policy: &JobPolicy,
) -> Result<Result<Attempt, NotBegun>, DbError> {
    let lease = i64::try_from(policy.lease_ms).unwrap_or(i64::MAX);
    let taken = jobs::Entity::update_many()
        .col_expr(jobs::Column::State, Expr::value(JobState::Running.as_str()))
        .col_expr(jobs::Column::Attempt, Expr::value(locked.job.attempt + 1))
        .col_expr(jobs::Column::Worker, Expr::value(worker.as_str()))
        .col_expr(jobs::Column::HeartbeatAt, Expr::value(tx.now.0))
        .col_expr(jobs::Column::LeaseMs, Expr::value(lease))
        .filter(jobs::Column::Id.eq(locked.job.id))
        .filter(jobs::Column::State.eq(JobState::Queued.as_str()))
        .filter(jobs::Column::Attempt.eq(locked.job.attempt))
        .exec_with_returning(&**tx)
        .await?
        .pop();
    let Some(job) = taken else { return Ok(Err(NotBegun::Held)) };
    let file = match locked.file.is(FileState::Ready) {
        true => locked.file,
        false => settle::processing(tx, locked.file).await?,
    };
    let published = read::published(&**tx, file.id, file.generation).await?;
    let fence =
        Fence { job_id: JobId(job.id), file_id: FileId(file.id), generation: job.generation, attempt: job.attempt };
    Ok(Ok(Attempt { fence, file: file.into_record(Some(&job))?, job: job.into_record()?, published }))
}

async fn beat(tx: &WriteTx, fence: &Fence, progress: f64) -> Result<u64, DbError> {
    let further = Expr::case(jobs::Column::Progress.lt(progress), progress).finally(Expr::col(jobs::Column::Progress));
    let beaten = jobs::Entity::update_many()
        .col_expr(jobs::Column::HeartbeatAt, Expr::value(tx.now.0))
        .col_expr(jobs::Column::Progress, further.into())
        .filter(jobs::Column::Id.eq(fence.job_id.0))
        .filter(jobs::Column::Attempt.eq(fence.attempt))
        .filter(jobs::Column::State.eq(JobState::Running.as_str()))
        .exec(&**tx)
        .await?;
    Ok(beaten.rows_affected)
}

/// A worker that is still stopping may still be writing: its objects' purge must wait for it.
async fn beat_cancelled(tx: &WriteTx, fence: &Fence) -> Result<(), DbError> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::HeartbeatAt, Expr::value(tx.now.0))
        .filter(jobs::Column::Id.eq(fence.job_id.0))
        .filter(jobs::Column::Attempt.eq(fence.attempt))
        .filter(jobs::Column::Worker.is_not_null())
        .exec(&**tx)
        .await?;
    Ok(())
}

async fn lose(tx: &WriteTx, locked: Locked, policy: &JobPolicy, jitter: f64) -> Result<Verdict, DbError> {
    let losses = locked.job.losses.saturating_add(1);
    let due = (losses < policy.max_losses).then(|| tx.now.plus(wait(policy, losses, jitter)));
    let failures = locked.job.failures;
    settle::ended(tx, locked, settle::Counts { failures, losses }, &worker_lost(), due).await
}

fn worker_lost() -> Failure {
    Failure {
        code: "worker_lost".to_owned(),
        message: "The machine that processed this file was lost too often; try again later.".to_owned(),
        retryable: true,
    }
}

fn wait(policy: &JobPolicy, count: i32, jitter: f64) -> Duration {
    let (base, max) = (Duration::from_millis(policy.backoff_base_ms), Duration::from_millis(policy.backoff_max_ms));
    backoff(base, max, u32::try_from(count).unwrap_or(1), jitter)
}
