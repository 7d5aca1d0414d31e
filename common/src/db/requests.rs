//! What people ask of jobs: to see them, to run one once more, to stop one.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Expr,
};

use super::{
    Cancelled, Db, DbError, JobFilter, Reach, Retried,
    entity::{files, jobs},
    fence::{self, Locked},
    files::living,
    parts, settle, told,
    transaction::WriteTx,
};
use crate::{
    file::Failure,
    ids::{FileId, JobId, OrgId},
    job::{JobKind, JobPolicy, JobRecord},
    states::{
        file::{self, FileEvent},
        job::{JobEvent, JobView},
    },
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
        query = match filter.kind {
            None => query.filter(Expr::cust(format!("NOT {}", jobs::CHUNKS))),
            Some(JobKind::Chunk) => query.filter(Expr::cust(jobs::CHUNKS)),
            Some(kind) => query.filter(jobs::Column::Kind.eq(kind.as_str())),
        };
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
    /// with a job that was given up: that job is queued again with its counters reset, a failed file is `staged` again. Where
    /// that which processes it was not, it is the job that makes what it was watched for.
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
            let given_up = given_up(&tx, &row).await?;
            let (Ok(file), Some((locked, next))) = (again, given_up) else { return Ok(Retried::NotRetryable) };
            let due = locked.job.due(tx.now);
            if locked.file.is(file.state) {
                told::updated(&tx, &locked.file, &["progress"]);
            } else {
                settle::restage(&tx, locked.file, file.state).await?;
            }
            settle::requeue(&tx, locked.job, &next).await?;
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
            // A part alone helps nobody: who stops it stops its film.
            let locked = if locked.job.part().is_some() { of_film(&tx, locked).await? } else { locked };
            let Ok(next) = locked.ask(JobEvent::Cancel, &JobPolicy::default())? else { return Ok(Cancelled::Over) };
            cancel(&tx, locked, &next).await?;
            tx.commit().await?;
            Ok(Cancelled::Stopped)
        })
        .await
    }
}

/// The job of the file that another run is asked of.
async fn given_up(tx: &WriteTx, file: &files::Model) -> Result<Option<(Locked, JobView)>, DbError> {
    for kind in [JobKind::Process, JobKind::Earn] {
        if let Some(job) = fence::job_of(tx, file, kind).await? {
            let locked = Locked { file: file.clone(), job };
            if let Ok(next) = locked.ask(JobEvent::Retry, &JobPolicy::default())? {
                return Ok(Some((locked, next)));
            }
        }
    }
    Ok(None)
}

async fn of_film(tx: &WriteTx, part: Locked) -> Result<Locked, DbError> {
    match fence::own_job(tx, &part.file).await? {
        Some(job) => Ok(Locked { job, ..part }),
        None => Ok(part),
    }
}

/// Worker and heartbeat stay: they tell whether somebody may still be writing.
async fn cancel(tx: &WriteTx, locked: Locked, next: &JobView) -> Result<(), DbError> {
    let process = locked.job.kind == JobKind::Process.as_str();
    parts::given_up(tx, &locked.file, &locked.job).await?;
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
