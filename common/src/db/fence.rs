//! The fence: whether an attempt still holds its job and its file. Rows are locked in one order, file then job, so that
//! two transactions about the same file never wait for each other in a ring. What may be written then is decided by the
//! state machines.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{
    DbError,
    entity::{files, jobs, parse},
    transaction::WriteTx,
};
use crate::{
    ids::JobId,
    job::{Fence, JobKind, JobPolicy},
    states::job::{JobEvent, JobView, Refused, transition},
};

/// A job and its file; nobody else can change either until the transaction ends.
pub(super) struct Locked {
    pub(super) file: files::Model,
    pub(super) job: jobs::Model,
}

/// `None` when there is no such job any more.
pub(super) async fn lock(tx: &WriteTx, job: JobId) -> Result<Option<Locked>, DbError> {
    let Some(seen) = jobs::Entity::find_by_id(job.0).one(&**tx).await? else { return Ok(None) };
    let file = files::Entity::find_by_id(seen.file_id).lock_exclusive().one(&**tx).await?;
    let job = jobs::Entity::find_by_id(job.0).lock_exclusive().one(&**tx).await?;
    Ok(file.zip(job).map(|(file, job)| Locked { file, job }))
}

/// As `lock`, but only while `fence` holds: this attempt, this generation, running, not deleted.
pub(super) async fn lock_held(tx: &WriteTx, fence: &Fence) -> Result<Option<Locked>, DbError> {
    let Some(locked) = lock(tx, fence.job_id).await? else { return Ok(None) };
    let held = locked.ask_for(fence, JobEvent::Write(fence.into()), &JobPolicy::default())?.is_ok();
    Ok(held.then_some(locked))
}

/// The job that processes the file.
pub(super) async fn own_job(tx: &WriteTx, file: &files::Model) -> Result<Option<jobs::Model>, DbError> {
    job_of(tx, file, JobKind::Process).await
}

/// The job of this kind, of which a generation has one.
pub(super) async fn job_of(tx: &WriteTx, file: &files::Model, kind: JobKind) -> Result<Option<jobs::Model>, DbError> {
    let own = jobs::Entity::find()
        .filter(jobs::Column::FileId.eq(file.id))
        .filter(jobs::Column::Generation.eq(file.generation))
        .filter(jobs::Column::Kind.eq(kind.as_str()))
        .lock_exclusive();
    Ok(own.one(&**tx).await?)
}

impl Locked {
    pub(super) fn view(&self) -> Result<JobView, DbError> {
        Ok(JobView {
            state: parse(&self.job.state)?,
            generation: self.job.generation,
            attempt: self.job.attempt,
            failures: self.job.failures,
            losses: self.job.losses,
            file_generation: self.file.generation,
            file_deleted: self.file.is_away(),
        })
    }

    /// What the event makes of the job, or why nothing may be written.
    pub(super) fn ask(&self, event: JobEvent, limits: &JobPolicy) -> Result<Result<JobView, Refused>, DbError> {
        Ok(transition(self.view()?, event, limits))
    }

    /// As `ask`, of an event that carries the fence's token: the fence must be of this file, too.
    pub(super) fn ask_for(
        &self,
        fence: &Fence,
        event: JobEvent,
        limits: &JobPolicy,
    ) -> Result<Result<JobView, Refused>, DbError> {
        if self.job.file_id == fence.file_id.0 { self.ask(event, limits) } else { Ok(Err(Refused::Stale)) }
    }

    /// Whether `fence` names the job's last attempt, whatever has become of it.
    pub(super) fn is_attempt_of(&self, fence: &Fence) -> bool {
        self.job.file_id == fence.file_id.0
            && self.job.generation == fence.generation
            && self.job.attempt == fence.attempt
    }
}
