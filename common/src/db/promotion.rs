//! Where sources lie: the rows behind the move from staging to a source's lasting place.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

use super::{Db, DbError, entity::files};
use crate::{
    ids::{FileId, OrgId},
    key::Key,
};

/// Spelt exactly as in the index, without which all files would be read.
const UNPROMOTED: &str = "deleted_at IS NULL AND substr(source_key, 1, 8) = 'staging/' \
    AND (state IN ('ready', 'failed') OR media IS NOT NULL)";

/// The worker that has it promotes it itself: who copied beside it would copy all of it twice.
const LEFT_ALONE: &str = "(state IN ('ready', 'failed') \
    OR NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.file_id = files.id AND jobs.state = 'running'))";

impl Db {
    /// Accepted files (`ready`, `failed`, or beyond the probe and in no worker's hands) whose source still lies in staging.
    ///
    /// # Errors
    /// The database is away.
    pub async fn unpromoted(&self, limit: u64) -> Result<Vec<(OrgId, FileId, Key)>, DbError> {
        let query = files::Entity::find().filter(Expr::cust(UNPROMOTED)).filter(Expr::cust(LEFT_ALONE));
        let query = query.order_by_asc(files::Column::Id).limit(limit);
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter()
            .map(|row| {
                let key = row.source_key.parse().map_err(|error| DbError::Garbled(format!("{error}")))?;
                Ok((OrgId::new(row.org_id), FileId(row.id), key))
            })
            .collect()
    }

    /// Says where the source lies now. Only from `from`, so that a repeated promotion changes nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_source_key(&self, file: FileId, from: &Key, to: &Key) -> Result<bool, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let moved = files::Entity::update_many()
                .col_expr(files::Column::SourceKey, Expr::value(to.to_string()))
                .col_expr(files::Column::UpdatedAt, Expr::value(tx.now.0))
                .filter(files::Column::Id.eq(file.0))
                .filter(files::Column::SourceKey.eq(from.to_string()))
                .filter(files::Column::DeletedAt.is_null())
                .exec(&*tx)
                .await?;
            tx.commit().await?;
            Ok(moved.rows_affected == 1)
        })
        .await
    }
}
