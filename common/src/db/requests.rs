//! What people ask of jobs: to see them, to run one once more, to stop one.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Expr,
};

use super::{
    Cancelled, Db, DbError, DueJob, JobFilter, Retried,
    entity::{files, jobs},
    fence::{self, Locked},
    files::living,
    settle,
    transaction::WriteTx,
};
use crate::{
    file::{Failure, FileState},
    ids::{FileId, JobId, OrgId},
    job::{JobKind, JobRecord, JobState},
    timestamp::Timestamp,
};

/// Jobs of deleted files are nobody's business any more.
const OF_LIVING: &str = "EXISTS (SELECT 1 FROM files WHERE files.id = jobs.file_id AND files.deleted_at IS NULL)";

impl Db {
    /// The organisation's jobs, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_jobs(&self, org: &OrgId, filter: &JobFilter) -> Result<Vec<JobRecord>, DbError> {
        let mut query = jobs::Entity::find()
            .filter(jobs::Column::OrgId.eq(org.as_str()))
            .filter(Expr::cust(OF_LIVING))
            .order_by_desc(jobs::Column::Id)
            .limit(filter.limit);
        if let Some(state) = filter.state {
            query = query.filter(jobs::Column::State.eq(state.as_str()));
        }
        if let Some(file) = filter.file {
            query = query.filter(jobs::Column::FileId.eq(file.0));
        }
        if let Some(after) = filter.after {
            query = query.filter(jobs::Column::Id.lt(after.0));
        }
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter().map(jobs::Model::into_record).collect()
    }

    /// A job of this organisation whose file is not deleted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_job(&self, org: &OrgId, job: JobId) -> Result<Option<JobRecord>, DbError> {
        let query =
            jobs::Entity::find_by_id(job.0).filter(jobs::Column::OrgId.eq(org.as_str())).filter(Expr::cust(OF_LIVING));
        let row = self.in_time(async { Ok(query.one(&self.connection).await?) }).await?;
        row.map(jobs::Model::into_record).transpose()
    }

    /// A person asks for another run of a file that is `failed` for a reason which another run may not meet, or `ready`
    /// with a job that was given up: that job is queued again with its counters reset, a failed file is `staged` again.
    /// Attempts go on counting, so fences hold.
    ///
    /// # Errors
    /// The database is away.
    pub async fn retry_job(&self, org: &OrgId, file: FileId) -> Result<Retried, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let row = living(org).filter(files::Column::Id.eq(file.0)).lock_exclusive().one(&*tx).await?;
            let Some(row) = row else { return Ok(Retried::NoSuchFile) };
            let may = match row.state.parse() {
                Ok(FileState::Failed) => row.failure_retryable == Some(true),
                Ok(FileState::Ready) => true,
                _ => false,
            };
            let Some(job) = ended_job(&tx, &row).await?.filter(|_| may) else { return Ok(Retried::NotRetryable) };
            let due = DueJob {
                id: JobId(job.id),
                org_id: org.clone(),
                priority: u8::try_from(job.priority).unwrap_or_default(),
                run_at: tx.now,
            };
            if row.is(FileState::Failed) {
                restage(&tx, row).await?;
            }
            requeue(&tx, job).await?;
            tx.commit().await?;
            Ok(Retried::Queued(due))
        })
        .await
    }

    /// Stops a job that waits or runs: it is `cancelled`, its worker hears of it, and a file of which nothing playable is
    /// published becomes `failed`, to be retried.
    ///
    /// # Errors
    /// The database is away.
    pub async fn cancel_job(&self, org: &OrgId, job: JobId) -> Result<Cancelled, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let locked = fence::lock(&tx, job).await?;
            let Some(locked) = locked.filter(|it| it.job.org_id == org.as_str() && it.file.deleted_at.is_none()) else {
                return Ok(Cancelled::NoSuchJob);
            };
            if !(locked.job.is(JobState::Queued) || locked.job.is(JobState::Running)) {
                return Ok(Cancelled::Over);
            }
            cancel(&tx, locked).await?;
            tx.commit().await?;
            Ok(Cancelled::Stopped)
        })
        .await
    }
}

/// Worker and heartbeat stay: they tell whether somebody may still be writing.
async fn cancel(tx: &WriteTx, locked: Locked) -> Result<(), DbError> {
    let process = locked.job.kind == JobKind::Process.as_str();
    let mut job = locked.job.into_active_model();
    job.state = Set(JobState::Cancelled.as_str().to_owned());
    job.finished_at = Set(Some(tx.now.0));
    job.update(&**tx).await?;
    if process {
        let failure = Failure {
            code: "cancelled".to_owned(),
            message: "Processing was cancelled; it can be started again.".to_owned(),
            retryable: true,
        };
        settle::fail_unless_ready(tx, locked.file, &failure).await?;
    }
    Ok(())
}

/// The job that would process the file, given up or cancelled.
async fn ended_job(tx: &WriteTx, file: &files::Model) -> Result<Option<jobs::Model>, DbError> {
    let ended = jobs::Entity::find()
        .filter(jobs::Column::FileId.eq(file.id))
        .filter(jobs::Column::Generation.eq(file.generation))
        .filter(jobs::Column::Kind.eq(JobKind::Process.as_str()))
        .filter(jobs::Column::State.is_in([JobState::Dead.as_str(), JobState::Cancelled.as_str()]))
        .lock_exclusive();
    Ok(ended.one(&**tx).await?)
}

async fn restage(tx: &WriteTx, file: files::Model) -> Result<(), DbError> {
    let mut file = file.into_active_model();
    file.state = Set(FileState::Staged.as_str().to_owned());
    file.failure_code = Set(None);
    file.failure_message = Set(None);
    file.failure_retryable = Set(None);
    file.updated_at = Set(tx.now.0);
    file.update(&**tx).await?;
    Ok(())
}

/// Queues a job that is over once more, its counters reset; attempts go on counting, so fences hold.
pub(super) async fn requeue(tx: &WriteTx, job: jobs::Model) -> Result<(), DbError> {
    let mut job = job.into_active_model();
    job.failures = Set(0);
    job.losses = Set(0);
    job.progress = Set(0.0);
    job.last_error_code = Set(None);
    job.last_error = Set(None);
    settle::queued(tx, job, Timestamp(tx.now.0)).await
}
