//! The fence: whether an attempt still holds its job and its file. Rows are locked in one order, file then job, so that
//! two transactions about the same file never wait for each other in a ring.

use sea_orm::{EntityTrait, QuerySelect};

use super::{
    DbError,
    entity::{files, jobs},
    transaction::WriteTx,
};
use crate::{
    ids::JobId,
    job::{Fence, JobState},
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
    Ok(lock(tx, fence.job_id).await?.filter(|locked| locked.is_held_by(fence)))
}

impl Locked {
    pub(super) fn is_current(&self) -> bool {
        self.file.deleted_at.is_none() && self.file.generation == self.job.generation
    }

    pub(super) fn is_held_by(&self, fence: &Fence) -> bool {
        self.is_current() && self.is_attempt_of(fence) && self.job.is(JobState::Running)
    }

    /// Whether `fence` names the job's last attempt, whatever has become of it.
    pub(super) fn is_attempt_of(&self, fence: &Fence) -> bool {
        self.job.file_id == fence.file_id.0
            && self.job.generation == fence.generation
            && self.job.attempt == fence.attempt
    }
}
