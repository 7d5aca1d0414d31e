//! What an organisation has, counted from its rows while nobody else adds to them: there is no counter that could be wrong.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseBackend, FromQueryResult, IntoActiveModel, QueryFilter,
    QuerySelect, Set, Statement,
};

use super::{
    Db, DbError,
    entity::{files, signed},
    files::standing,
    transaction::WriteTx,
};
use crate::{
    file::FileState,
    ids::{FileId, OrgId},
    quota::{Excess, Quota, Usage},
};

/// Also where the row is there already this locks it to the end of the transaction.
const LOCK: &str = "
INSERT INTO quota_locks (org_id) VALUES ($1) ON CONFLICT (org_id) DO UPDATE SET org_id = excluded.org_id";

/// Pieces of files count as what they will be part of.
const COUNT: &str = "
SELECT
    CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes,
    CAST(COALESCE(SUM(files), 0) AS BIGINT) AS files,
    CAST(COALESCE(SUM(uploads), 0) AS BIGINT) AS uploads
FROM (
    SELECT size_bytes AS bytes, 1 AS files, CASE WHEN state = 'uploading' THEN 1 ELSE 0 END AS uploads
    FROM files WHERE org_id = $1 AND deleted_at IS NULL
    UNION ALL
    SELECT COALESCE(length, stored_bytes) AS bytes, 0 AS files, CASE WHEN finished THEN 0 ELSE 1 END AS uploads
    FROM resumables WHERE org_id = $1 AND role = 'partial'
) AS all_of_it";

#[derive(FromQueryResult)]
struct Counted {
    bytes: i64,
    files: i64,
    uploads: i64,
}

impl Db {
    /// What an organisation has.
    ///
    /// # Errors
    /// The database is away.
    pub async fn usage(&self, org: &OrgId) -> Result<Usage, DbError> {
        self.in_time(count(&self.connection, self.connection.get_database_backend(), org)).await
    }

    /// Says how large an upload will be, or is; nothing is changed when that would be too much.
    ///
    /// # Errors
    /// The database is away.
    pub async fn reserve_bytes(
        &self,
        org: &OrgId,
        file: FileId,
        bytes: u64,
        quota: Quota,
    ) -> Result<Result<(), Excess>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let more = Usage { bytes, ..Usage::default() };
            if let Err(excess) = admit(&tx, org, quota, more).await? {
                return Ok(Err(excess));
            }
            set_size(&tx, org, file, bytes).await?;
            tx.commit().await?;
            Ok(Ok(()))
        })
        .await
    }
}

/// Whether the organisation may have so much more. Until the transaction ends nobody else of it is asked.
pub(super) async fn admit(tx: &WriteTx, org: &OrgId, quota: Quota, more: Usage) -> Result<Result<(), Excess>, DbError> {
    if !quota.is_set() {
        return Ok(Ok(()));
    }
    Ok(quota.admit(locked(tx, org).await?.plus(more)))
}

/// What the organisation has, and nobody adds to before the transaction ends.
pub(super) async fn locked(tx: &WriteTx, org: &OrgId) -> Result<Usage, DbError> {
    lock(tx, org).await?;
    count(&**tx, tx.get_database_backend(), org).await
}

/// Nobody else counts what the organisation has before the transaction ends.
pub(super) async fn lock(tx: &WriteTx, org: &OrgId) -> Result<(), DbError> {
    let lock = Statement::from_sql_and_values(tx.get_database_backend(), LOCK, [org.as_str().into()]);
    tx.execute_raw(lock).await?;
    Ok(())
}

/// Of a file that is still uploaded.
pub(super) async fn set_size(tx: &WriteTx, org: &OrgId, file: FileId, bytes: u64) -> Result<(), DbError> {
    let row = standing(org)
        .filter(files::Column::Id.eq(file.0))
        .filter(files::Column::State.eq(FileState::Uploading.as_str()))
        .lock_exclusive()
        .one(&**tx)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let mut row = row.into_active_model();
    row.size_bytes = Set(signed(bytes));
    row.update(&**tx).await?;
    Ok(())
}

async fn count(connection: &impl ConnectionTrait, backend: DatabaseBackend, org: &OrgId) -> Result<Usage, DbError> {
    let query = Statement::from_sql_and_values(backend, COUNT, [org.as_str().into()]);
    let counted = Counted::find_by_statement(query).one(connection).await?;
    let counted = counted.ok_or_else(|| DbError::Garbled("a count gave no row".to_owned()))?;
    let of = |number| u64::try_from(number).unwrap_or_default();
    Ok(Usage { bytes: of(counted.bytes), files: of(counted.files), uploads: of(counted.uploads) })
}
