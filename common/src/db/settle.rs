//! The states that a job and its file go into together. Callers hold both rows and have checked the fence.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set, sea_query::Expr};

use super::{
    DbError, Verdict,
    entity::{files, jobs},
    fence::Locked,
    transaction::WriteTx,
};
use crate::{
    file::{Failure, FileState},
    job::{Fence, JobState},
    timestamp::Timestamp,
};

/// A job's counters after a run has ended badly.
pub(super) struct Counts {
    pub(super) failures: i32,
    pub(super) losses: i32,
}

pub(super) async fn processing(tx: &WriteTx, file: files::Model) -> Result<files::Model, DbError> {
    let mut file = file.into_active_model();
    file.state = Set(FileState::Processing.as_str().to_owned());
    file.updated_at = Set(tx.now.0);
    Ok(file.update(&**tx).await?)
}

/// Waits for a worker again, not before `due`.
pub(super) async fn queued(tx: &WriteTx, mut job: jobs::ActiveModel, due: Timestamp) -> Result<(), DbError> {
    job.state = Set(JobState::Queued.as_str().to_owned());
    job.next_attempt_at = Set(due.0);
    job.finished_at = Set(None);
    release(&mut job);
    job.update(&**tx).await?;
    Ok(())
}

/// A run ended badly: queued again when there is a `due`, else dead.
pub(super) async fn ended(
    tx: &WriteTx,
    locked: Locked,
    counts: Counts,
    failure: &Failure,
    due: Option<Timestamp>,
) -> Result<Verdict, DbError> {
    let mut job = locked.job.into_active_model();
    job.failures = Set(counts.failures);
    job.losses = Set(counts.losses);
    job.last_error_code = Set(Some(failure.code.clone()));
    job.last_error = Set(Some(failure.message.clone()));
    if let Some(due) = due {
        queued(tx, job, due).await?;
        return Ok(Verdict::Again(due));
    }
    over(tx, job, JobState::Dead).await?;
    fail_unless_ready(tx, locked.file, failure).await?;
    Ok(Verdict::Dead)
}

pub(super) async fn done(tx: &WriteTx, locked: Locked) -> Result<(), DbError> {
    let mut job = locked.job.into_active_model();
    job.progress = Set(1.0);
    over(tx, job, JobState::Done).await?;
    let nothing = Failure {
        code: "nothing_playable".to_owned(),
        message: "Nothing that a browser can play could be made of this file.".to_owned(),
        retryable: false,
    };
    fail_unless_ready(tx, locked.file, &nothing).await
}

/// The worker of a cancelled attempt has stopped: nobody need wait for it before purging.
pub(super) async fn stopped(tx: &WriteTx, locked: Locked, fence: &Fence) -> Result<(), DbError> {
    if !locked.is_attempt_of(fence) {
        return Ok(());
    }
    jobs::Entity::update_many()
        .col_expr(jobs::Column::Worker, Expr::value(Option::<String>::None))
        .filter(jobs::Column::Id.eq(locked.job.id))
        .filter(jobs::Column::State.eq(JobState::Cancelled.as_str()))
        .exec(&**tx)
        .await?;
    Ok(())
}

async fn over(tx: &WriteTx, mut job: jobs::ActiveModel, state: JobState) -> Result<(), DbError> {
    job.state = Set(state.as_str().to_owned());
    job.finished_at = Set(Some(tx.now.0));
    release(&mut job);
    job.update(&**tx).await?;
    Ok(())
}

fn release(job: &mut jobs::ActiveModel) {
    job.worker = Set(None);
    job.heartbeat_at = Set(None);
    job.lease_ms = Set(None);
}

/// `ready` says that something playable is published, and stays.
pub(super) async fn fail_unless_ready(tx: &WriteTx, file: files::Model, failure: &Failure) -> Result<(), DbError> {
    let ready = file.is(FileState::Ready);
    let mut file = file.into_active_model();
    file.updated_at = Set(tx.now.0);
    if !ready {
        file.state = Set(FileState::Failed.as_str().to_owned());
        file.failure_code = Set(Some(failure.code.clone()));
        file.failure_message = Set(Some(failure.message.clone()));
        file.failure_retryable = Set(Some(failure.retryable));
    }
    file.update(&**tx).await?;
    Ok(())
}
