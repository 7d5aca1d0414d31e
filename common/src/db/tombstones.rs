//! Deletion: at once for everybody who reads, step by step for what lies in the store.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
    prelude::Uuid, sea_query::Expr,
};

use super::{
    Db, DbError, Tombstone,
    entity::{files, jobs, uploads},
    epochs, resumables, told,
    transaction::WriteTx,
};
use crate::{
    ids::{FileId, OrgId},
    job::JobState,
    key::Key,
    lease::Subject,
    states::job::is_open,
    storage::MultipartId,
    timestamp::Timestamp,
};

/// A gateway says far more often than this that its uploads are alive.
const UPLOAD_LEASE: Duration = Duration::from_secs(60);

impl Db {
    /// Deleted files whose rows still stand, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tombstones(&self, limit: u64) -> Result<Vec<Tombstone>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let rows = files::Entity::find()
                .filter(files::Column::DeletedAt.is_not_null())
                .order_by_asc(files::Column::DeletedAt)
                .limit(limit)
                .all(&self.connection)
                .await?;
            let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
            let writers = Writers::read(self, ids).await?;
            rows.into_iter().map(|row| writers.tombstone(row, now)).collect()
        })
        .await
    }

    /// Removes all rows of a deleted file, when no object of it is left.
    ///
    /// # Errors
    /// The database is away.
    pub async fn purge_file(&self, file: FileId) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            files::Entity::delete_many()
                .filter(files::Column::Id.eq(file.0))
                .filter(files::Column::DeletedAt.is_not_null())
                .exec(&*tx)
                .await?;
            tx.commit().await
        })
        .await
    }
}

/// Deletes for everybody at once: tombstone, generation + 1, jobs cancelled, leases ended. The caller holds the row.
pub(super) async fn bury(tx: &WriteTx, row: files::Model) -> Result<(), DbError> {
    let (org, file, generation) = (OrgId::new(row.org_id.as_str()), FileId(row.id), row.generation);
    let mut row = row.into_active_model();
    row.deleted_at = Set(Some(tx.now.0));
    row.updated_at = Set(tx.now.0);
    row.generation = Set(generation + 1);
    let row = row.update(&**tx).await?;
    cancel_jobs(tx, file).await?;
    resumables::forget(tx, file).await?;
    epochs::bump(tx, &org, &Subject::File(file)).await?;
    told::deleted(tx, &row);
    Ok(())
}

/// Worker and heartbeat stay: they tell whether somebody may still be writing.
pub(super) async fn cancel_jobs(tx: &WriteTx, file: FileId) -> Result<(), DbError> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::State, Expr::value(JobState::Cancelled.as_str()))
        .col_expr(jobs::Column::FinishedAt, Expr::value(tx.now.0))
        .filter(jobs::Column::FileId.eq(file.0))
        .filter(jobs::Column::State.is_in(open_states()))
        .exec(&**tx)
        .await?;
    Ok(())
}

pub(super) fn open_states() -> impl Iterator<Item = &'static str> {
    JobState::ALL.iter().filter(|state| is_open(**state)).map(|state| state.as_str())
}

/// Who may still be writing objects of deleted files: workers, and gateways that receive an upload.
struct Writers {
    jobs: Vec<jobs::Model>,
    uploads: Vec<uploads::Model>,
}

impl Writers {
    async fn read(db: &Db, files: Vec<Uuid>) -> Result<Self, DbError> {
        let jobs = jobs::Entity::find()
            .filter(jobs::Column::FileId.is_in(files.clone()))
            .filter(jobs::Column::State.eq(JobState::Cancelled.as_str()));
        let uploads = uploads::Entity::find().filter(uploads::Column::FileId.is_in(files));
        Ok(Self { jobs: jobs.all(&db.connection).await?, uploads: uploads.all(&db.connection).await? })
    }

    fn tombstone(&self, row: files::Model, now: Timestamp) -> Result<Tombstone, DbError> {
        let upload = self.uploads.iter().find(|upload| upload.file_id == row.id);
        let receiving = upload.is_some_and(|upload| now.since(Timestamp(upload.touched_at)) < UPLOAD_LEASE);
        let working = self.jobs.iter().any(|job| job.file_id == row.id && job.is_alive(now));
        let org_id = OrgId::new(row.org_id);
        let file_id = FileId(row.id);
        Ok(Tombstone {
            staging_key: Key::Staging { org: org_id.clone(), file: file_id },
            multipart: upload.and_then(|upload| upload.multipart.clone()).map(MultipartId),
            running: receiving || working,
            deleted_for: now.since(Timestamp(row.deleted_at.unwrap_or(now.0))),
            file_id,
            org_id,
        })
    }
}
