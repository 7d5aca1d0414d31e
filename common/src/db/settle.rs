//! Writes down what the state machines have decided about a job and its file. Callers hold both rows and have asked.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set, sea_query::Expr};

use super::{
    DbError, Verdict,
    entity::{files, jobs},
    fence::Locked,
    told,
    transaction::WriteTx,
};
use crate::{
    file::{Failure, FileState},
    job::{Fence, JobKind, JobState},
    states::{
        file::{FileEvent, transition},
        job::{JobView, is_open},
    },
    timestamp::Timestamp,
};

/// An attempt has begun.
pub(super) async fn processing(tx: &WriteTx, file: files::Model, attempt: i64) -> Result<files::Model, DbError> {
    let next = match transition(file.view()?, FileEvent::Begin) {
        Ok(next) if !file.is(next.state) => next.state,
        _ => return Ok(file),
    };
    let mut file = file.into_active_model();
    file.state = Set(next.as_str().to_owned());
    file.updated_at = Set(tx.now.0);
    let file = file.update(&**tx).await?;
    told::processing(tx, &file, attempt);
    Ok(file)
}

/// Waits for a worker again, not before `due`.
pub(super) async fn queued(
    tx: &WriteTx,
    mut job: jobs::ActiveModel,
    next: &JobView,
    due: Timestamp,
) -> Result<(), DbError> {
    moved(&mut job, next);
    job.next_attempt_at = Set(due.0);
    job.finished_at = Set(None);
    release(&mut job);
    job.update(&**tx).await?;
    Ok(())
}

/// Moves a file on, without the words of an earlier end.
pub(super) async fn restage(tx: &WriteTx, file: files::Model, next: FileState) -> Result<(), DbError> {
    let mut file = file.into_active_model();
    file.state = Set(next.as_str().to_owned());
    file.failure_code = Set(None);
    file.failure_message = Set(None);
    file.failure_retryable = Set(None);
    file.updated_at = Set(tx.now.0);
    told::staged(tx, &file.update(&**tx).await?, true);
    Ok(())
}

/// Queues a job that is over once more, its counters reset; attempts go on counting, so fences hold.
pub(super) async fn requeue(tx: &WriteTx, job: jobs::Model, next: &JobView) -> Result<(), DbError> {
    let mut job = job.into_active_model();
    job.progress = Set(0.0);
    job.last_error_code = Set(None);
    job.last_error = Set(None);
    queued(tx, job, next, tx.now).await
}

/// Waits for the jobs of its parts.
pub(super) async fn parked(tx: &WriteTx, job: jobs::Model, next: &JobView) -> Result<(), DbError> {
    let mut job = job.into_active_model();
    moved(&mut job, next);
    release(&mut job);
    job.update(&**tx).await?;
    Ok(())
}

/// A run ended badly: queued again for `due`, or dead.
pub(super) async fn ended(
    tx: &WriteTx,
    locked: Locked,
    next: &JobView,
    failure: &Failure,
    due: Timestamp,
) -> Result<Verdict, DbError> {
    let (process, chunk) = (is_process(&locked.job), locked.job.part().is_some());
    let mut job = locked.job.into_active_model();
    job.last_error_code = Set(Some(failure.code.clone()));
    job.last_error = Set(Some(failure.message.clone()));
    if is_open(next.state) {
        queued(tx, job, next, due).await?;
        return Ok(Verdict::Again(due));
    }
    over(tx, job, next).await?;
    // What becomes of its film is decided by whoever has its parts in view.
    if chunk {
        return Ok(Verdict::Dead);
    }
    let file = give_up(tx, locked.file, failure).await?;
    if process {
        complete(tx, &file, Some(failure));
    }
    Ok(Verdict::Dead)
}

pub(super) async fn done(tx: &WriteTx, locked: Locked, next: &JobView) -> Result<(), DbError> {
    let process = is_process(&locked.job);
    let mut job = locked.job.into_active_model();
    job.progress = Set(1.0);
    over(tx, job, next).await?;
    let nothing = Failure {
        code: "nothing_playable".to_owned(),
        message: "Nothing that a browser can play could be made of this file.".to_owned(),
        retryable: false,
    };
    let file = give_up(tx, locked.file, &nothing).await?;
    if process {
        complete(tx, &file, None);
    }
    Ok(())
}

/// Thumbnails complete no file.
fn is_process(job: &jobs::Model) -> bool {
    job.kind == JobKind::Process.as_str()
}

/// The job that makes what is planned is over. Of a file that has failed with it that is told already.
pub(super) fn complete(tx: &WriteTx, file: &files::Model, failure: Option<&Failure>) {
    if file.is(FileState::Ready) {
        told::completed(tx, file, failure);
    }
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

/// Ends a job that makes no file `ready` or `failed`.
pub(super) async fn over(tx: &WriteTx, mut job: jobs::ActiveModel, next: &JobView) -> Result<(), DbError> {
    moved(&mut job, next);
    job.finished_at = Set(Some(tx.now.0));
    release(&mut job);
    job.update(&**tx).await?;
    Ok(())
}

fn moved(job: &mut jobs::ActiveModel, next: &JobView) {
    job.state = Set(next.state.as_str().to_owned());
    job.failures = Set(next.failures);
    job.losses = Set(next.losses);
}

fn release(job: &mut jobs::ActiveModel) {
    job.worker = Set(None);
    job.heartbeat_at = Set(None);
    job.lease_ms = Set(None);
}

/// The job is over: a file that has become neither `ready` nor `failed` is `failed`.
pub(super) async fn give_up(tx: &WriteTx, file: files::Model, failure: &Failure) -> Result<files::Model, DbError> {
    let next = transition(file.view()?, FileEvent::GiveUp).map_or(None, |next| Some(next.state));
    let fails = next == Some(FileState::Failed) && !file.is(FileState::Failed);
    let mut file = file.into_active_model();
    file.updated_at = Set(tx.now.0);
    if fails {
        file.state = Set(FileState::Failed.as_str().to_owned());
        file.failure_code = Set(Some(failure.code.clone()));
        file.failure_message = Set(Some(failure.message.clone()));
        file.failure_retryable = Set(Some(failure.retryable));
    }
    let file = file.update(&**tx).await?;
    if fails {
        told::failed(tx, &file, failure);
    }
    Ok(file)
}
