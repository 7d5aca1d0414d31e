//! Unfinished transfers: what the sweeper needs to leave nothing behind.

use std::time::Duration;

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

use super::{
    Db, DbError, PendingUpload,
    entity::{files, uploads},
    files::CHUNK,
};
use crate::{
    ids::{FileId, OrgId},
    storage::MultipartId,
};

const NOT_RESUMABLE: &str = "NOT EXISTS (SELECT 1 FROM resumables WHERE resumables.file_id = uploads.file_id)";

impl Db {
    /// Remembers the store's id of the multipart upload, before its first part.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_multipart(&self, file: FileId, multipart: &MultipartId) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            uploads::Entity::update_many()
                .col_expr(uploads::Column::Multipart, Expr::value(multipart.0.as_str()))
                .col_expr(uploads::Column::TouchedAt, Expr::value(tx.now.0))
                .filter(uploads::Column::FileId.eq(file.0))
                .exec(&*tx)
                .await?;
            tx.commit().await
        })
        .await
    }

    /// Says that these uploads are alive (one transaction for all uploads of a gateway).
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_uploads(&self, files: &[FileId]) -> Result<(), DbError> {
        if files.is_empty() {
            return Ok(());
        }
        // In one order, so that two gateways with a file in common never wait for each other in a ring.
        let mut ids: Vec<_> = files.iter().map(|file| file.0).collect();
        ids.sort_unstable();
        self.in_time(async {
            let tx = self.write().await?;
            for chunk in ids.chunks(CHUNK) {
                uploads::Entity::update_many()
                    .col_expr(uploads::Column::TouchedAt, Expr::value(tx.now.0))
                    .filter(uploads::Column::FileId.is_in(chunk.iter().copied()))
                    .exec(&*tx)
                    .await?;
            }
            tx.commit().await
        })
        .await
    }

    /// Whether nobody has touched this upload for `silent`, by the database's clock.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_silent(&self, org: &OrgId, file: FileId, silent: Duration) -> Result<bool, DbError> {
        self.in_time(async {
            let since = self.now().await?.minus(silent);
            let row = uploads::Entity::find_by_id(file.0)
                .filter(uploads::Column::OrgId.eq(org.as_str()))
                .one(&self.connection)
                .await?;
            Ok(row.is_none_or(|row| row.touched_at <= since.0))
        })
        .await
    }

    /// Uploads that nobody has touched for `silent`, by the database's clock (touched further ahead than that: before it was set
    /// back); those of deleted files are with their
    /// tombstones, and those that may go on later have a time of their own.
    ///
    /// # Errors
    /// The database is away.
    pub async fn silent_uploads(&self, silent: Duration, limit: u64) -> Result<Vec<PendingUpload>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let (since, ahead) = (now.minus(silent), now.plus(silent));
            let rows = uploads::Entity::find()
                .inner_join(files::Entity)
                .filter(files::Column::DeletedAt.is_null())
                .filter(Expr::cust(NOT_RESUMABLE))
                .filter(
                    Condition::any()
                        .add(uploads::Column::TouchedAt.lte(since.0))
                        .add(uploads::Column::TouchedAt.gt(ahead.0)),
                )
                .order_by_asc(uploads::Column::TouchedAt)
                .limit(limit)
                .all(&self.connection)
                .await?;
            rows.into_iter().map(uploads::Model::into_pending).collect()
        })
        .await
    }
}
