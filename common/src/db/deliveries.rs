//! The log of deliveries: what admins see of it, and what they want sent once more.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set, Statement,
};

use super::{
    Db, DbError, DeliveryCensus, DeliveryFilter, Resent,
    entity::{deliveries, signed},
};
use crate::{
    ids::{DeliveryId, OrgId, WebhookId},
    states::delivery::{DeliveryEvent, transition},
    webhook::Delivery,
};

/// What waits for a disabled endpoint waits for its admin.
const CENSUS: &str = "
SELECT CAST(COUNT(*) AS BIGINT) AS waiting, MIN(deliveries.created_at) AS oldest
FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook_id
WHERE deliveries.finished_at IS NULL AND webhooks.enabled";

const PRUNE: &str = "
DELETE FROM deliveries WHERE id IN (
    SELECT id FROM deliveries WHERE finished_at IS NOT NULL AND finished_at < $1 LIMIT $2)";

#[derive(FromQueryResult)]
struct Counted {
    waiting: i64,
    oldest: Option<i64>,
}

impl Db {
    /// An endpoint's deliveries, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_deliveries(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        filter: &DeliveryFilter,
    ) -> Result<Vec<Delivery>, DbError> {
        let mut query = of(org, webhook).order_by_desc(deliveries::Column::Id).limit(filter.limit);
        if let Some(state) = filter.state {
            query = query.filter(deliveries::Column::State.eq(state.as_str()));
        }
        if let Some(after) = filter.after {
            query = query.filter(deliveries::Column::Id.lt(after.0));
        }
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter().map(deliveries::Model::into_delivery).collect()
    }

    /// # Errors
    /// The database is away.
    pub async fn find_delivery(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        delivery: DeliveryId,
    ) -> Result<Option<Delivery>, DbError> {
        let query = of(org, webhook).filter(deliveries::Column::Id.eq(delivery.0));
        let row = self.in_time(async { Ok(query.one(&self.connection).await?) }).await?;
        row.map(deliveries::Model::into_delivery).transpose()
    }

    /// Has one that is over sent once more, and tried for `retry` again. It is the same delivery: its attempts go on counting.
    ///
    /// # Errors
    /// The database is away.
    pub async fn resend_delivery(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        delivery: DeliveryId,
        retry: Duration,
    ) -> Result<Resent, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let row = of(org, webhook).filter(deliveries::Column::Id.eq(delivery.0)).lock_exclusive().one(&*tx).await?;
            let Some(row) = row else { return Ok(Resent::NoSuchDelivery) };
            let event = DeliveryEvent::Resend { now: tx.now, give_up_at: tx.now.plus(retry) };
            let Ok(next) = transition(row.view()?, event) else { return Ok(Resent::UnderWay) };
            let mut row = row.into_active_model();
            row.state = Set(next.state.as_str().to_owned());
            (row.due_at, row.give_up_at) = (Set(next.due_at.0), Set(next.give_up_at.0));
            row.finished_at = Set(None);
            let row = row.update(&*tx).await?;
            tx.commit().await?;
            Ok(Resent::Waiting(Box::new(row.into_delivery()?)))
        })
        .await
    }

    /// Drops some of the log that are over since longer than `keep`; how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn prune_deliveries(&self, keep: Duration, limit: u64) -> Result<u64, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let values = [tx.now.minus(keep).0.into(), signed(limit).into()];
            let prune = Statement::from_sql_and_values(tx.get_database_backend(), PRUNE, values);
            let pruned = tx.execute_raw(prune).await?.rows_affected();
            tx.commit().await?;
            Ok(pruned)
        })
        .await
    }

    /// How many wait, and for how long the oldest has.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delivery_census(&self) -> Result<DeliveryCensus, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let backend = self.connection.get_database_backend();
            let row = Counted::find_by_statement(Statement::from_string(backend, CENSUS)).one(&self.connection).await?;
            let row = row.ok_or_else(|| DbError::Garbled("a count gave no row".to_owned()))?;
            let oldest = row.oldest.map_or(0, |oldest| now.0.saturating_sub(oldest));
            let of = |number: i64| u64::try_from(number).unwrap_or_default();
            Ok(DeliveryCensus { waiting: of(row.waiting), oldest_wait_ms: of(oldest) })
        })
        .await
    }
}

fn of(org: &OrgId, webhook: WebhookId) -> sea_orm::Select<deliveries::Entity> {
    deliveries::Entity::find()
        .filter(deliveries::Column::WebhookId.eq(webhook.0))
        .filter(deliveries::Column::OrgId.eq(org.as_str()))
}
