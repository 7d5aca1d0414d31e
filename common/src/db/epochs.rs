//! Revocation: epochs are written once and read by every gateway every second, together with what else has changed
//! about leases.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use super::{
    Db, DbError, LeaseNews,
    entity::{epochs, leases},
    transaction::WriteTx,
};
use crate::{
    ids::OrgId,
    lease::{EPOCH_MARGIN, Epoch, LeaseId, Subject},
    timestamp::Timestamp,
};

impl Db {
    /// Ends everything of the subject that was permitted until now. A later call moves the epoch, never back.
    ///
    /// # Errors
    /// The database is away.
    pub async fn bump_epoch(&self, org: &OrgId, subject: &Subject) -> Result<Epoch, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let epoch = bump(&tx, org, subject).await?;
            tx.commit().await?;
            Ok(epoch)
        })
        .await
    }

    /// The same for one lease, if it is this organisation's; `None` when it is not, or has ended.
    ///
    /// # Errors
    /// The database is away.
    pub async fn revoke_lease(&self, org: &OrgId, id: LeaseId) -> Result<Option<Epoch>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let found = leases::Entity::find_by_id(id.to_string())
                .filter(leases::Column::OrgId.eq(org.as_str()))
                .one(&*tx)
                .await?;
            if found.is_none() {
                return Ok(None);
            }
            let epoch = bump(&tx, org, &Subject::Lease(id)).await?;
            tx.commit().await?;
            Ok(Some(epoch))
        })
        .await
    }

    /// What has happened since `since` by the database's clock; all epochs when it is `None`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn lease_news(&self, since: Option<Timestamp>) -> Result<LeaseNews, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let from = since.map_or(i64::MIN, |since| since.0);
            let bumped =
                epochs::Entity::find().filter(epochs::Column::BumpedAt.gte(from)).all(&self.connection).await?;
            let moved = match since {
                // Who holds no lease yet has nothing that could have moved.
                None => Vec::new(),
                Some(_) => {
                    leases::Entity::find().filter(leases::Column::MovedAt.gte(from)).all(&self.connection).await?
                }
            };
            Ok(LeaseNews {
                now,
                epochs: bumped.into_iter().map(epochs::Model::into_epoch).collect::<Result<_, _>>()?,
                moved: moved.into_iter().map(leases::Model::into_lease).collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    /// Forgets epochs that nothing can be older than: no token lives longer than `longest`, and every lease that is left
    /// was opened by a later one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn purge_epochs(&self, longest: Duration) -> Result<u64, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let oldest: Option<i64> = leases::Entity::find()
                .select_only()
                .column(leases::Column::TokenIssuedAt)
                .order_by_asc(leases::Column::TokenIssuedAt)
                .limit(1)
                .into_tuple()
                .one(&*tx)
                .await?;
            let before = oldest.unwrap_or(i64::MAX).min(tx.now.minus(longest).0);
            let gone = epochs::Entity::delete_many()
                .filter(epochs::Column::NotBefore.lt(before))
                .filter(epochs::Column::BumpedAt.lt(before))
                .exec(&*tx)
                .await?
                .rows_affected;
            tx.commit().await?;
            Ok(gone)
        })
        .await
    }
}

/// Within somebody's transaction.
pub(super) async fn bump(tx: &WriteTx, org: &OrgId, subject: &Subject) -> Result<Epoch, DbError> {
    let epoch = Epoch { org: org.clone(), subject: subject.clone(), not_before: tx.now.plus(EPOCH_MARGIN) };
    let key = [epochs::Column::OrgId, epochs::Column::Kind, epochs::Column::Subject];
    let later = OnConflict::columns(key)
        .value(epochs::Column::NotBefore, Expr::value(epoch.not_before.0))
        .value(epochs::Column::BumpedAt, Expr::value(tx.now.0))
        .to_owned();
    epochs::Entity::insert(epochs::row(&epoch, tx.now)).on_conflict(later).exec_without_returning(&**tx).await?;
    Ok(epoch)
}
