//! What people ask of jobs: to see them, to run one once more, to stop one.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Expr,
};

use super::{
    Cancelled, Db, DbError, DueJob, JobFilter, Reach, Retried,
    entity::{files, jobs},
    fence::{self, Locked},
    files::living,
    settle, told,
    transaction::WriteTx,
};
use crate::{
    file::{Failure, FileState},
    ids::{FileId, JobId, OrgId},
    job::{JobKind, JobPolicy, JobRecord},
    states::{
        file::{self, FileEvent},
        job::{JobEvent, JobView},
    },
    timestamp::Timestamp,
};

/// Jobs of deleted files are nobody's business any more.
const OF_LIVING: &str = "EXISTS (SELECT 1 FROM files WHERE files.id = jobs.file_id AND files.deleted_at IS NULL \
    AND files.trashed_at IS NULL)";

impl Reach<'_> {
    fn condition(self) -> Condition {
        match self {
            Self::Org(org) => Condition::all().add(jobs::Column::OrgId.eq(org.as_str())),
            Self::All => Condition::all(),
        }
    }
}

impl Db {
    /// The jobs within reach, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_jobs(&self, reach: Reach<'_>, filter: &JobFilter) -> Result<Vec<JobRecord>, DbError> {
        let mut query = jobs::Entity::find()
            .filter(reach.condition())
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

    /// A job within reach whose file is not deleted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_job(&self, reach: Reach<'_>, job: JobId) -> Result<Option<JobRecord>, DbError> {
        let query = jobs::Entity::find_by_id(job.0).filter(reach.condition()).filter(Expr::cust(OF_LIVING));
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
            let row = living(&*tx, org).filter(files::Column::Id.eq(file.0)).lock_exclusive().one(&*tx).await?;
            let Some(row) = row else { return Ok(Retried::NoSuchFile) };
            let again = file::transition(row.view()?, retry_of(&row));
            let job = own_job(&tx, &row).await?;
            let (Ok(file), Some(job)) = (again, job) else { return Ok(Retried::NotRetryable) };
            let locked = Locked { file: row, job };
            let Ok(next) = locked.ask(JobEvent::Retry, &JobPolicy::default())? else {
                return Ok(Retried::NotRetryable);
            };
            let due = due(org, &locked.job, tx.now);
            if locked.file.is(file.state) {
                told::updated(&tx, &locked.file, &["progress"]);
            } else {
                restage(&tx, locked.file, file.state).await?;
            }
            requeue(&tx, locked.job, &next).await?;
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
            let Some(locked) = locked.filter(|it| it.job.org_id == org.as_str() && !it.file.is_away()) else {
                return Ok(Cancelled::NoSuchJob);
            };
            let Ok(next) = locked.ask(JobEvent::Cancel, &JobPolicy::default())? else { return Ok(Cancelled::Over) };
            cancel(&tx, locked, &next).await?;
            tx.commit().await?;
            Ok(Cancelled::Stopped)
        })
        .await
    }
}

/// Worker and heartbeat stay: they tell whether somebody may still be writing.
async fn cancel(tx: &WriteTx, locked: Locked, next: &JobView) -> Result<(), DbError> {
    let process = locked.job.kind == JobKind::Process.as_str();
    let mut job = locked.job.into_active_model();
    job.state = Set(next.state.as_str().to_owned());
    job.finished_at = Set(Some(tx.now.0));
    job.update(&**tx).await?;
    if process {
        let failure = Failure {
            code: "cancelled".to_owned(),
            message: "Processing was cancelled; it can be started again.".to_owned(),
            retryable: true,
        };
        let file = settle::give_up(tx, locked.file, &failure).await?;
        settle::complete(tx, &file, Some(&failure));
    }
    Ok(())
}

fn retry_of(file: &files::Model) -> FileEvent {
    FileEvent::Retry { retryable: file.failure_retryable == Some(true) }
}

pub(super) fn due(org: &OrgId, job: &jobs::Model, now: Timestamp) -> DueJob {
    let priority = u8::try_from(job.priority).unwrap_or_default();
    DueJob { id: JobId(job.id), org_id: org.clone(), priority, run_at: now, due: true }
}

/// The job that processes the file.
pub(super) async fn own_job(tx: &WriteTx, file: &files::Model) -> Result<Option<jobs::Model>, DbError> {
    let own = jobs::Entity::find()
        .filter(jobs::Column::FileId.eq(file.id))
        .filter(jobs::Column::Generation.eq(file.generation))
        .filter(jobs::Column::Kind.eq(JobKind::Process.as_str()))
        .lock_exclusive();
    Ok(own.one(&**tx).await?)
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
    settle::queued(tx, job, next, tx.now).await
}
