//! Files on their way with nothing behind them any more: no upload, no job that waits or runs. No code leaves one behind; a
//! restored backup, a hand in the database or a fault of ours may. They are found by the gauge `stuck_files`, and mended here.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Expr,
};

use super::{
    Db, DbError, Mended, NewJob, StuckFile,
    entity::{files, jobs, parse},
    fence, settle, told,
    transaction::WriteTx,
};
use crate::{
    file::{Failure, FileState},
    ids::{FileId, JobId, OrgId},
    job::{DEFAULT_PRIORITY, JobKind},
    states::file::{FileEvent, transition},
};

/// Spelt as in the index of files on their way, which a parameter would keep from being used.
pub(super) const STUCK: &str = "deleted_at IS NULL AND trashed_at IS NULL AND state IN ('uploading', 'staged', 'processing') \
    AND NOT EXISTS (SELECT 1 FROM uploads WHERE uploads.file_id = files.id) \
    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.file_id = files.id AND jobs.generation = files.generation \
                    AND jobs.state IN ('queued', 'running', 'split'))";

impl Db {
    /// Stuck for at least `after`, the longest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn stuck_files(&self, after: Duration, limit: u64) -> Result<Vec<StuckFile>, DbError> {
        self.in_time(async {
            let since = self.now().await?.minus(after);
            let rows = files::Entity::find()
                .filter(Expr::cust(STUCK))
                .filter(files::Column::UpdatedAt.lt(since.0))
                .order_by_asc(files::Column::UpdatedAt)
                .limit(limit)
                .all(&self.connection)
                .await?;
            let stuck = |row: files::Model| {
                let state = parse(&row.state)?;
                Ok(StuckFile { org_id: OrgId::new(row.org_id), file_id: FileId(row.id), state })
            };
            rows.into_iter().map(stuck).collect()
        })
        .await
    }

    /// Mends one, if it is stuck still: an upload without its row is closed, a file whose job ended without it is settled as
    /// that job was, one without a job gets one, in a generation of its own, so that nothing an earlier job may have left meets it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn mend_stuck(&self, org: &OrgId, file: FileId, after: Duration) -> Result<Mended, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let stuck = files::Entity::find_by_id(file.0)
                .filter(files::Column::OrgId.eq(org.as_str()))
                .filter(files::Column::UpdatedAt.lt(tx.now.minus(after).0))
                .filter(Expr::cust(STUCK))
                .lock_exclusive();
            let Some(row) = stuck.one(&*tx).await? else { return Ok(Mended::Moved) };
            let mended = mend(&tx, row).await?;
            tx.commit().await?;
            Ok(mended)
        })
        .await
    }
}

async fn mend(tx: &WriteTx, file: files::Model) -> Result<Mended, DbError> {
    if file.is(FileState::Uploading) {
        files::Entity::delete_by_id(file.id).exec(&**tx).await?;
        told::deleted(tx, &file);
        return Ok(Mended::Closed);
    }
    let job = fence::own_job(tx, &file).await?;
    match job {
        None => queue_anew(tx, file).await,
        Some(job) => {
            settle::give_up(tx, file, &last_words(job)).await?;
            Ok(Mended::Settled)
        }
    }
}

async fn queue_anew(tx: &WriteTx, file: files::Model) -> Result<Mended, DbError> {
    let Ok(next) = transition(file.view()?, FileEvent::Restart) else { return Ok(Mended::Moved) };
    let generation = file.generation + 1;
    let mut file = file.into_active_model();
    file.generation = Set(generation);
    file.state = Set(next.state.as_str().to_owned());
    file.updated_at = Set(tx.now.0);
    let file = file.update(&**tx).await?;
    told::staged(tx, &file, true);
    let job = NewJob { id: JobId::new(), kind: JobKind::Process, priority: DEFAULT_PRIORITY };
    jobs::Entity::insert(jobs::row(&job, &file, &tx.lanes, tx.now)).exec_without_returning(&**tx).await?;
    Ok(Mended::Queued)
}

/// Why a job ended that its file has not heard of.
fn last_words(job: jobs::Model) -> Failure {
    let unknown = "Processing ended without a result; it can be started again.";
    Failure {
        code: job.last_error_code.unwrap_or_else(|| "processing_ended".to_owned()),
        message: job.last_error.unwrap_or_else(|| unknown.to_owned()),
        retryable: true,
    }
}
