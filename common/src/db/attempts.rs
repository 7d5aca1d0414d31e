//! Attempts: how a worker takes a job, says that it lives, and every way in which a run can end.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, sea_query::Expr};

use super::{
    Attempt, Db, DbError, Errand, Fenced, JobBeat, NotBegun, Verdict, earned,
    entity::{files, jobs, read_json},
    fence::{self, Locked},
    history, parts, read, settle,
    transaction::WriteTx,
};
use crate::{
    file::Failure,
    ids::{FileId, JobId, ProcessId},
    job::{Fence, JobPolicy, JobState, PAYLOAD_VERSION},
    queue::backoff::backoff,
    states::job::{JobEvent, JobView, Refused},
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
            let answer = match locked.ask(wish_to_begin(&locked, tx.now, policy), policy)? {
                Ok(next) => begin(&tx, locked, &next, worker, policy).await?,
                Err(Refused::Silent) => match lose(&tx, locked, policy, 1.0).await? {
                    Verdict::Again(due) => Err(NotBegun::NotDue(due)),
                    Verdict::Dead | Verdict::Stale => Err(NotBegun::Obsolete),
                },
                Err(refused) => return Ok(Err(not_begun(refused, &locked))),
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

    /// Whether the attempt still runs: a cheap question between two heartbeats, which decides nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn attempt_runs(&self, fence: &Fence) -> Result<bool, DbError> {
        self.in_time(async {
            let running = jobs::Entity::find_by_id(fence.job_id.0)
                .filter(jobs::Column::Attempt.eq(fence.attempt))
                .filter(jobs::Column::State.eq(JobState::Running.as_str()))
                .count(&self.connection);
            Ok(running.await? == 1)
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
            let answer = match locked.ask_for(fence, JobEvent::Finish(fence.into()), &JobPolicy::default())? {
                Ok(next) => {
                    let (file, job) = (locked.file.clone(), locked.job.clone());
                    settle::done(&tx, locked, &next).await?;
                    parts::close(&tx, &file, &job).await?;
                    earned::done(&tx, &job).await?;
                    Fenced::Written
                }
                Err(refused) => {
                    settle::stopped(&tx, locked, fence).await?;
                    if refused == Refused::Repeated { Fenced::Written } else { Fenced::Stale }
                }
            };
            tx.commit().await?;
            Ok(answer)
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
            let event = JobEvent::Fail { token: fence.into(), retryable: failure.retryable };
            let verdict = match locked.ask_for(fence, event, policy)? {
                Ok(next) => {
                    let due = tx.now.plus(wait(policy, next.failures, jitter));
                    ended(&tx, locked, &next, failure, due).await?
                }
                Err(_) => {
                    settle::stopped(&tx, locked, fence).await?;
                    Verdict::Stale
                }
            };
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
            let answer = match locked.ask_for(fence, JobEvent::Interrupt(fence.into()), &JobPolicy::default())? {
                Ok(next) => {
                    settle::queued(&tx, locked.job.into_active_model(), &next, tx.now).await?;
                    Fenced::Written
                }
                Err(_) => {
                    settle::stopped(&tx, locked, fence).await?;
                    Fenced::Stale
                }
            };
            tx.commit().await?;
            Ok(answer)
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
            if attempt.is_some_and(|attempt| attempt != locked.job.attempt) {
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
        let running = jobs::Entity::find().filter(Expr::cust(jobs::RUNNING));
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

fn wish_to_begin(locked: &Locked, now: Timestamp, policy: &JobPolicy) -> JobEvent {
    let job = &locked.job;
    JobEvent::Begin {
        due: job.is_due(now, policy),
        alive: job.is_alive(now),
        readable: job.payload_version <= PAYLOAD_VERSION,
    }
}

fn not_begun(refused: Refused, locked: &Locked) -> NotBegun {
    match refused {
        Refused::TooNew => NotBegun::TooNew,
        Refused::Held => NotBegun::Held,
        Refused::NotDue => NotBegun::NotDue(Timestamp(locked.job.next_attempt_at)),
        _ => NotBegun::Obsolete,
    }
}

async fn begin(
    tx: &WriteTx,
    locked: Locked,
    next: &JobView,
    worker: &ProcessId,
    policy: &JobPolicy,
) -> Result<Result<Attempt, NotBegun>, DbError> {
    let lease = i64::try_from(policy.lease_ms).unwrap_or(i64::MAX);
    let taken = jobs::Entity::update_many()
        .col_expr(jobs::Column::State, Expr::value(next.state.as_str()))
        .col_expr(jobs::Column::Attempt, Expr::value(next.attempt))
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
    history::begin(tx, &job, worker).await?;
    let file = settle::processing(tx, locked.file, job.attempt).await?;
    let published = read::published(&**tx, file.id, file.generation).await?;
    let split = parts::split_of(tx, &file, &job).await?;
    let errand = errand(tx, &file, &job).await?;
    let fence =
        Fence { job_id: JobId(job.id), file_id: FileId(file.id), generation: job.generation, attempt: job.attempt };
    let file = file.into_record(Some(job.standing()?))?;
    Ok(Ok(Attempt { fence, file, job: job.into_record()?, published, split, errand }))
}

async fn errand(tx: &WriteTx, file: &files::Model, job: &jobs::Model) -> Result<Option<Errand>, DbError> {
    let Some(wanted) = job.wanted.as_deref() else { return Ok(None) };
    let plan = fence::own_job(tx, file).await?.and_then(|film| film.plan);
    let plan = plan.as_deref().map(read_json).transpose()?.unwrap_or_default();
    Ok(Some(Errand { wanted: read_json(wanted)?, plan }))
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
    let Ok(next) = locked.ask(JobEvent::Lose { attempt: locked.job.attempt }, policy)? else {
        return Ok(Verdict::Stale);
    };
    let due = tx.now.plus(wait(policy, next.losses, jitter));
    history::lost(tx, &locked.job).await?;
    ended(tx, locked, &next, &worker_lost(), due).await
}

async fn ended(
    tx: &WriteTx,
    locked: Locked,
    next: &JobView,
    failure: &Failure,
    due: Timestamp,
) -> Result<Verdict, DbError> {
    let (file, job) = (locked.file.clone(), locked.job.clone());
    let verdict = settle::ended(tx, locked, next, failure, due).await?;
    if verdict == Verdict::Dead {
        parts::given_up(tx, &file, &job).await?;
    }
    Ok(verdict)
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn locked(change: impl FnOnce(&mut Locked)) -> Locked {
        let id = FileId::new().0;
        let file = files::Model {
            id,
            org_id: "acme".to_owned(),
            owner_id: "alice".to_owned(),
            location: "l".to_owned(),
            filename: "f".to_owned(),
            content_type: "video/mp4".to_owned(),
            size_bytes: 1,
            sha256: String::new(),
            kind: "video".to_owned(),
            state: "staged".to_owned(),
            failure_code: None,
            failure_message: None,
            failure_retryable: None,
            generation: 1,
            media: None,
            grid: None,
            source_key: "k".to_owned(),
            staged_version: None,
            repeat_key: None,
            created_at: 0,
            updated_at: 0,
            ready_at: None,
            deleted_at: None,
            name_key: "f".to_owned(),
            tags: None,
            metadata: None,
            expires_at: None,
            trashed_at: None,
            trash_ends_at: None,
        };
        let job = jobs::Model {
            id: JobId::new().0,
            file_id: id,
            org_id: "acme".to_owned(),
            generation: 1,
            kind: "process".to_owned(),
            state: "queued".to_owned(),
            priority: 50,
            payload_version: PAYLOAD_VERSION,
            attempt: 0,
            failures: 0,
            losses: 0,
            next_attempt_at: NOW.0,
            heartbeat_at: None,
            lease_ms: None,
            worker: None,
            progress: 0.0,
            last_error_code: None,
            last_error: None,
            plan: None,
            split: None,
            parts: None,
            made: None,
            wanted: None,
            created_at: 0,
            finished_at: None,
            trace: None,
            lane: "small".to_owned(),
        };
        let mut locked = Locked { file, job };
        change(&mut locked);
        locked
    }

    fn answer(change: impl FnOnce(&mut Locked)) -> Result<i64, Refused> {
        let locked = locked(change);
        let policy = JobPolicy::default();
        let next = locked.ask(wish_to_begin(&locked, NOW, &policy), &policy).unwrap();
        next.map(|next| next.attempt)
    }

    #[test]
    fn a_due_job_may_begin() {
        assert_eq!(answer(|_| ()), Ok(1));
    }

    #[test]
    fn a_newer_builds_job_is_handed_back() {
        assert_eq!(answer(|at| at.job.payload_version += 1), Err(Refused::TooNew));
    }

    #[test]
    fn a_job_of_another_generation_or_a_deleted_file_is_obsolete() {
        assert_eq!(answer(|at| at.file.generation = 2), Err(Refused::Obsolete));
        assert_eq!(answer(|at| at.file.deleted_at = Some(1)), Err(Refused::Obsolete));
        assert_eq!(answer(|at| at.file.trashed_at = Some(1)), Err(Refused::Obsolete));
        assert_eq!(answer(|at| at.job.state = "dead".to_owned()), Err(Refused::Obsolete));
    }

    #[test]
    fn a_job_is_not_due_one_millisecond_early() {
        assert_eq!(answer(|at| at.job.next_attempt_at += 1), Err(Refused::NotDue));
        let early = locked(|at| at.job.next_attempt_at += 1);
        assert_eq!(not_begun(Refused::NotDue, &early), NotBegun::NotDue(Timestamp(NOW.0 + 1)));
    }

    #[test]
    fn a_lease_ends_to_the_millisecond() {
        let running = |heartbeat| {
            answer(|at| {
                at.job.state = "running".to_owned();
                at.job.worker = Some("w".to_owned());
                at.job.heartbeat_at = Some(heartbeat);
                at.job.lease_ms = Some(100);
            })
        };
        assert_eq!(running(NOW.0 - 99), Err(Refused::Held));
        assert_eq!(running(NOW.0 - 100), Err(Refused::Silent));
    }
}
