//! Renditions that a file has been watched for: queued when views have earned them, noted as shown, dropped when they are not. What has
//! been earned and what may go is decided by `crate::earned`.

use std::{collections::BTreeSet, time::Duration};

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, ModelTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Statement, prelude::Uuid, sea_query::Expr,
};

use super::{
    ColdRendition, Db, DbError, DroppedObject, WorkerTime,
    entity::{dropped_objects, files, jobs, leases, read_json, renditions, write_json},
    fence,
    files::{CHUNK, living},
    read, told,
    transaction::WriteTx,
    views,
    wake::wake,
};
use crate::{
    earned::{self, EarnedPolicy},
    file::FileState,
    ids::{FileId, OrgId},
    job::{EARN_PRIORITY, JobKind, JobState},
    key::Key,
    rendition::Rendition,
    states::job::is_open,
};

/// By the index of earned renditions. Only what the current generation of a living file has, and while nobody plays the file.
const COLD: &str = "
SELECT f.org_id AS org_id, r.file_id AS file_id, r.generation AS generation, r.name AS name
FROM renditions r JOIN files f ON f.id = r.file_id AND f.generation = r.generation
WHERE r.earned AND r.used_at <= $1
    AND f.deleted_at IS NULL AND f.trashed_at IS NULL AND f.state = 'ready'
    AND NOT EXISTS (
        SELECT 1 FROM playback_leases l WHERE l.file_id = r.file_id AND l.seen_at > $2 AND l.ends_at > $3
    )
ORDER BY r.used_at LIMIT $4";

/// By kind of job: how long attempts have taken that are over. The organisation is asked of the file: of a job it would lead SQLite to all
/// jobs that the organisation has.
const WORKED: &str = "
SELECT j.kind AS kind, CAST(SUM(a.ended_at - a.started_at) AS BIGINT) AS ms
FROM jobs j JOIN attempts a ON a.job_id = j.id
WHERE j.file_id IN (SELECT id FROM files WHERE id = $1 AND org_id = $2) AND a.ended_at IS NOT NULL GROUP BY j.kind";

#[derive(FromQueryResult)]
struct ColdRow {
    org_id: String,
    file_id: Uuid,
    generation: i64,
    name: String,
}

#[derive(FromQueryResult)]
struct Worked {
    kind: String,
    ms: i64,
}

impl Db {
    /// Looks what a file's views have earned, and queues the job that makes what it does not have. Names of what is queued. A job that was
    /// given up or stopped is a person's matter.
    ///
    /// # Errors
    /// The database is away.
    pub async fn earn(&self, org: &OrgId, file: FileId, policy: &EarnedPolicy) -> Result<Vec<String>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let ready = files::Column::State.eq(FileState::Ready.as_str());
            let row = living(&*tx, org).filter(files::Column::Id.eq(file.0)).filter(ready).lock_exclusive();
            let row = row.one(&*tx).await?;
            views::look(&tx, file.0, false).await?;
            let wanted = match &row {
                Some(row) => wanted(&tx, row, policy).await?,
                None => Vec::new(),
            };
            if let Some(row) = row.filter(|_| !wanted.is_empty())
                && let Some(due) = wake(&tx, &row, JobKind::Earn, EARN_PRIORITY).await?
            {
                jobs::Entity::update_many()
                    .col_expr(jobs::Column::Wanted, Expr::value(write_json(&wanted)?))
                    .filter(jobs::Column::Id.eq(due.id.0))
                    .exec(&*tx)
                    .await?;
            }
            tx.commit().await?;
            Ok(wanted)
        })
        .await
    }

    /// Says that these renditions, by file, generation and name, are shown now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_renditions(&self, shown: &[(FileId, i64, String)]) -> Result<(), DbError> {
        // In one order, so that two gateways never wait for each other in a ring.
        let mut shown: Vec<_> = shown.iter().collect();
        shown.sort_unstable_by_key(|(file, generation, name)| (file.0, *generation, name));
        for chunk in shown.chunks(CHUNK) {
            self.in_time(async {
                let tx = self.write().await?;
                for (file, generation, name) in chunk {
                    renditions::Entity::update_many()
                        .col_expr(renditions::Column::UsedAt, Expr::value(tx.now.0))
                        .filter(renditions::Column::FileId.eq(file.0))
                        .filter(renditions::Column::Generation.eq(*generation))
                        .filter(renditions::Column::Name.eq(name.as_str()))
                        .filter(Expr::cust(renditions::EARNED))
                        .exec(&*tx)
                        .await?;
                }
                tx.commit().await
            })
            .await?;
        }
        Ok(())
    }

    /// Earned renditions of all organisations that nobody was shown for `cold` and whose files nobody plays; leases that are `silent` for
    /// longer are over. The coldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn cold_renditions(
        &self,
        cold: Duration,
        silent: Duration,
        limit: u64,
    ) -> Result<Vec<ColdRendition>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let values = [now.minus(cold).0, now.minus(silent).0, now.0, i64::try_from(limit).unwrap_or(i64::MAX)];
            let backend = self.connection.get_database_backend();
            let query = Statement::from_sql_and_values(backend, COLD, values.map(Into::into));
            let rows = ColdRow::find_by_statement(query).all(&self.connection).await?;
            Ok(rows.into_iter().map(ColdRendition::from).collect())
        })
        .await
    }

    /// Drops a rendition if it still is cold and may go: its row is gone, its objects go after `grace`. The bytes that are saved; `None`
    /// when it stays.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_rendition(
        &self,
        org: &OrgId,
        cold: &ColdRendition,
        (cold_for, silent, grace): (Duration, Duration, Duration),
    ) -> Result<Option<u64>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let file = living(&*tx, org)
                .filter(files::Column::Id.eq(cold.file_id.0))
                .filter(files::Column::Generation.eq(cold.generation))
                .lock_exclusive();
            let Some(file) = file.one(&*tx).await? else { return Ok(None) };
            let name = (cold.file_id.0, cold.generation, cold.name.clone());
            let row = renditions::Entity::find_by_id(name).lock_exclusive().one(&*tx).await?;
            let row = row.filter(|row| row.used_at.is_some_and(|used| used <= tx.now.minus(cold_for).0));
            let Some(row) = row else { return Ok(None) };
            let rendition = row.clone().into_rendition()?;
            let published = read::published(&*tx, file.id, file.generation).await?;
            let watched = is_watched(&tx, cold.file_id, silent).await?;
            if earned::may_drop(&rendition, &published, watched).is_err() {
                return Ok(None);
            }
            leave_objects(&tx, org, &rendition, grace).await?;
            row.delete(&*tx).await?;
            told::updated(&tx, &file, &["renditions"]);
            tx.commit().await?;
            Ok(Some(rendition.size_bytes))
        })
        .await
    }

    /// Objects of dropped renditions of all organisations whose grace is over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn dropped_objects(&self, limit: u64) -> Result<Vec<DroppedObject>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let rows = dropped_objects::Entity::find()
                .filter(dropped_objects::Column::SweepAt.lte(now.0))
                .order_by_asc(dropped_objects::Column::SweepAt)
                .limit(limit)
                .all(&self.connection)
                .await?;
            Ok(rows.into_iter().map(DroppedObject::from).collect())
        })
        .await
    }

    /// Objects of this file that wait for their end.
    ///
    /// # Errors
    /// The database is away.
    pub async fn dropped_of(&self, org: &OrgId, file: FileId) -> Result<Vec<DroppedObject>, DbError> {
        let query = dropped_objects::Entity::find()
            .filter(dropped_objects::Column::FileId.eq(file.0))
            .filter(dropped_objects::Column::OrgId.eq(org.as_str()));
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        Ok(rows.into_iter().map(DroppedObject::from).collect())
    }

    /// An object of a dropped rendition is gone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_dropped(&self, gone: &DroppedObject) -> Result<(), DbError> {
        let key = (gone.file_id.0, gone.generation, gone.attempt, gone.name.clone());
        let gone = dropped_objects::Entity::delete_by_id(key);
        self.in_time(async { Ok(gone.exec(&self.connection).await.map(drop)?) }).await
    }

    /// How long workers have worked on a file.
    ///
    /// # Errors
    /// The database is away.
    pub async fn worker_time(&self, org: &OrgId, file: FileId) -> Result<WorkerTime, DbError> {
        self.in_time(async {
            let backend = self.connection.get_database_backend();
            let query = Statement::from_sql_and_values(backend, WORKED, [file.0.into(), org.as_str().into()]);
            let mut time = WorkerTime::default();
            for row in Worked::find_by_statement(query).all(&self.connection).await? {
                let ms = u64::try_from(row.ms).unwrap_or_default();
                time.total_ms += ms;
                if row.kind == JobKind::Earn.as_str() {
                    time.earned_ms += ms;
                }
            }
            Ok(time)
        })
        .await
    }
}

async fn wanted(tx: &WriteTx, file: &files::Model, policy: &EarnedPolicy) -> Result<Vec<String>, DbError> {
    let film = fence::own_job(tx, file).await?;
    let Some(film) = film.filter(|job| !is(job, is_open)) else { return Ok(Vec::new()) };
    let job = fence::job_of(tx, file, JobKind::Earn).await?;
    if job.as_ref().is_some_and(|job| !is(job, |state| state == JobState::Done)) {
        return Ok(Vec::new());
    }
    let plan = |job: &jobs::Model| job.plan.as_deref().map(read_json).transpose();
    let promised = plan(&film)?.map(|plan| earned::promised(&plan)).unwrap_or_default();
    let refused = job.as_ref().map_or(Ok(None), plan)?.map(|plan| earned::refused(&plan)).unwrap_or_default();
    let published = read::published(&**tx, file.id, file.generation).await?;
    let views = views::within(&**tx, file.id, tx.now.minus(policy.window())).await?;
    Ok(earned::wanted(&promised, &refused, &published, views, policy))
}

fn is(job: &jobs::Model, what: impl Fn(JobState) -> bool) -> bool {
    job.state.parse().is_ok_and(what)
}

/// A job that decides what is to be earned, or that has made what was, is done: what came meanwhile is looked at again.
pub(super) async fn done(tx: &WriteTx, job: &jobs::Model) -> Result<(), DbError> {
    let promises = |plan: &str| read_json(plan).is_ok_and(|plan| !earned::promised(&plan).is_empty());
    let earns = job.kind == JobKind::Earn.as_str() || job.plan.as_deref().is_some_and(promises);
    if earns { views::look(tx, job.file_id, true).await } else { Ok(()) }
}

async fn is_watched(tx: &WriteTx, file: FileId, silent: Duration) -> Result<bool, DbError> {
    let living = leases::Entity::find()
        .filter(leases::Column::FileId.eq(file.0))
        .filter(leases::Column::SeenAt.gt(tx.now.minus(silent).0))
        .filter(leases::Column::EndsAt.gt(tx.now.0));
    Ok(living.count(&**tx).await? > 0)
}

async fn leave_objects(tx: &WriteTx, org: &OrgId, rendition: &Rendition, grace: Duration) -> Result<(), DbError> {
    let names: BTreeSet<&str> = rendition.outputs().collect();
    for name in names {
        let row = dropped_objects::Model {
            file_id: rendition.file_id.0,
            generation: rendition.generation,
            attempt: rendition.attempt,
            name: name.to_owned(),
            org_id: org.as_str().to_owned(),
            sweep_at: tx.now.plus(grace).0,
        };
        dropped_objects::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(&**tx).await?;
    }
    Ok(())
}

impl From<ColdRow> for ColdRendition {
    fn from(row: ColdRow) -> Self {
        let ColdRow { org_id, file_id, generation, name } = row;
        Self { org_id: OrgId::new(org_id), file_id: FileId(file_id), generation, name }
    }
}

impl From<dropped_objects::Model> for DroppedObject {
    fn from(row: dropped_objects::Model) -> Self {
        let dropped_objects::Model { file_id, generation, attempt, name, org_id, .. } = row;
        Self { org_id: OrgId::new(org_id), file_id: FileId(file_id), generation, attempt, name }
    }
}

impl DroppedObject {
    #[must_use]
    pub fn key(&self) -> Key {
        let Self { org_id, file_id, generation, attempt, name } = self.clone();
        Key::Output { org: org_id, file: file_id, generation, attempt, name }
    }
}
