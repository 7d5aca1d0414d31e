//! Jobs of which a file has one, and which run again whenever there is more to do of the same.

use sea_orm::EntityTrait;

use super::{
    DbError, DueJob, NewJob,
    entity::{files, jobs},
    fence::{self, Locked},
    settle,
    transaction::WriteTx,
};
use crate::{
    ids::{JobId, OrgId},
    job::{JobKind, JobPolicy},
    states::job::JobEvent,
};

/// Queues the file's job of this kind; `None` when it is queued or runs already.
pub(super) async fn wake(
    tx: &WriteTx,
    file: &files::Model,
    kind: JobKind,
    priority: u8,
) -> Result<Option<DueJob>, DbError> {
    let (id, lane) = match fence::job_of(tx, file, kind).await? {
        Some(job) => {
            let (id, lane, locked) = (JobId(job.id), job.lane(), Locked { file: file.clone(), job });
            let Ok(next) = locked.ask(JobEvent::Wish, &JobPolicy::default())? else { return Ok(None) };
            settle::requeue(tx, locked.job, &next).await?;
            (id, lane)
        }
        None => {
            let new = NewJob { id: JobId::new(), kind, priority };
            let row = jobs::row(&new, file, &tx.lanes, tx.now);
            let lane = jobs::lane_of(kind, file, &tx.lanes);
            jobs::Entity::insert(row).exec_without_returning(&**tx).await?;
            (new.id, lane)
        }
    };
    Ok(Some(DueJob { id, org_id: OrgId::new(file.org_id.clone()), lane, priority, run_at: tx.now, due: true }))
}
