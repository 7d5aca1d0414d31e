//! How often files are watched: a row of each file, and slots of time that a window is added up from. Gateways count in memory and say so
//! in bulk, so that no opening of a lease waits for a row that all viewers of a film share.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
    prelude::Uuid, sea_query::Expr,
};

use super::{
    Db, DbError, Views,
    entity::{signed, view_slots, views},
    transaction::WriteTx,
};
use crate::{
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};

/// Of a file that is gone nothing is counted.
const COUNT: &str = "
INSERT INTO views (file_id, org_id, total, counted_at, fresh)
SELECT id, org_id, $3, $4, TRUE FROM files WHERE id = $1 AND org_id = $2 AND deleted_at IS NULL
ON CONFLICT (file_id) DO UPDATE SET
    total = views.total + excluded.total, counted_at = excluded.counted_at, fresh = TRUE";

const COUNT_SLOT: &str = "
INSERT INTO view_slots (file_id, slot_at, count)
SELECT id, $3, $4 FROM files WHERE id = $1 AND org_id = $2 AND deleted_at IS NULL
ON CONFLICT (file_id, slot_at) DO UPDATE SET count = view_slots.count + excluded.count";

/// In steps, so that none comes near the statements' timeout.
const PRUNE: &str = "
DELETE FROM view_slots WHERE (file_id, slot_at) IN (SELECT file_id, slot_at FROM view_slots WHERE slot_at <= $1 LIMIT 2000)";

impl Db {
    /// Adds to what was counted, all or nothing. A slot is `slot` long.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_views(&self, counted: &[(OrgId, FileId, u64)], slot: Duration) -> Result<(), DbError> {
        // In one order, so that two gateways never wait for each other in a ring.
        let mut counted: Vec<_> = counted.iter().collect();
        counted.sort_unstable_by_key(|(_, file, _)| file.0);
        self.in_time(async {
            let tx = self.write().await?;
            let slot_at = slot_of(tx.now, slot);
            for (org, file, count) in counted {
                let (file, org, count) = (file.0, org.as_str(), signed(*count));
                run(&tx, COUNT, [file.into(), org.into(), count.into(), tx.now.0.into()]).await?;
                run(&tx, COUNT_SLOT, [file.into(), org.into(), slot_at.into(), count.into()]).await?;
            }
            tx.commit().await
        })
        .await
    }

    /// How often a file was watched.
    ///
    /// # Errors
    /// The database is away.
    pub async fn views_of(&self, org: &OrgId, file: FileId, window: Duration) -> Result<Views, DbError> {
        self.in_time(async {
            let query = views::Entity::find_by_id(file.0).filter(views::Column::OrgId.eq(org.as_str()));
            let Some(row) = query.one(&self.connection).await? else { return Ok(Views::default()) };
            let since = self.now().await?.minus(window);
            let window = within(&self.connection, file.0, since).await?;
            Ok(Views { window, total: u64::try_from(row.total).unwrap_or_default() })
        })
        .await
    }

    /// Files that somebody has watched since it was last looked what that earns, the longest waiting first; of all organisations.
    ///
    /// # Errors
    /// The database is away.
    pub async fn watched_files(&self, limit: u64) -> Result<Vec<(OrgId, FileId)>, DbError> {
        let query = views::Entity::find()
            .select_only()
            .columns([views::Column::OrgId, views::Column::FileId])
            .filter(Expr::cust(views::FRESH))
            .order_by_asc(views::Column::CountedAt)
            .limit(limit)
            .into_tuple::<(String, Uuid)>();
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        Ok(rows.into_iter().map(|(org, file)| (OrgId::new(org), FileId(file))).collect())
    }

    /// Forgets slots that lie before the window. Totals stay.
    ///
    /// # Errors
    /// The database is away.
    pub async fn prune_views(&self, window: Duration) -> Result<u64, DbError> {
        let mut pruned = 0;
        // Looked at first: there is something once in a slot's time, and nobody else writes meanwhile on SQLite.
        while self
            .in_time(async { is_anything_before(&self.connection, self.now().await?.minus(window)).await })
            .await?
        {
            let step = self.in_time(async {
                let tx = self.write().await?;
                let gone = run(&tx, PRUNE, [tx.now.minus(window).0.into()]).await?;
                tx.commit().await?;
                Ok(gone)
            });
            pruned += step.await?;
        }
        Ok(pruned)
    }
}

/// Views of a file since then, in whole slots.
pub(super) async fn within(connection: &impl ConnectionTrait, file: Uuid, since: Timestamp) -> Result<u64, DbError> {
    let counts: Vec<i64> = view_slots::Entity::find()
        .select_only()
        .column(view_slots::Column::Count)
        .filter(view_slots::Column::FileId.eq(file))
        .filter(view_slots::Column::SlotAt.gt(since.0))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(counts.into_iter().filter_map(|count| u64::try_from(count).ok()).sum())
}

async fn is_anything_before(connection: &impl ConnectionTrait, before: Timestamp) -> Result<bool, DbError> {
    let old = view_slots::Entity::find().filter(view_slots::Column::SlotAt.lte(before.0));
    Ok(old.one(connection).await?.is_some())
}

/// What a file's views earn has been looked at, or (`fresh`) is to be looked at again.
pub(super) async fn look(tx: &WriteTx, file: Uuid, fresh: bool) -> Result<(), DbError> {
    views::Entity::update_many()
        .col_expr(views::Column::Fresh, Expr::value(fresh))
        .filter(views::Column::FileId.eq(file))
        .exec(&**tx)
        .await?;
    Ok(())
}

fn slot_of(now: Timestamp, slot: Duration) -> i64 {
    let slot = i64::try_from(slot.as_millis()).unwrap_or(i64::MAX).max(1);
    now.0 - now.0.rem_euclid(slot)
}

async fn run<const N: usize>(tx: &WriteTx, sql: &str, values: [sea_orm::Value; N]) -> Result<u64, DbError> {
    let backend: DbBackend = tx.get_database_backend();
    Ok(tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_begins_where_the_clock_is_divided_by_its_length() {
        assert_eq!(slot_of(Timestamp(86_400_000 * 3 + 5), Duration::from_secs(86_400)), 86_400_000 * 3);
        assert_eq!(slot_of(Timestamp(7), Duration::ZERO), 7);
    }
}
