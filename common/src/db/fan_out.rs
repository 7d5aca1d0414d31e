//! Deliveries out of the log of events. Each endpoint has a place in its organisation's log; what follows becomes deliveries in the
//! transaction that moves the place on, so an event is one delivery for each endpoint that wants it, whoever does it and how often.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Set, Statement, prelude::Uuid,
};

use super::{
    Db, DbError,
    entity::{deliveries, events, signed, webhooks},
    transaction::WriteTx,
    webhooks::last_seq,
};
use crate::{
    ids::{DeliveryId, OrgId, WebhookId},
    webhook::DeliveryState,
};

/// At random, so that none is always behind when there are more than a turn takes.
const BEHIND: &str = "
SELECT webhooks.id, webhooks.org_id FROM webhooks JOIN event_counters ON event_counters.org_id = webhooks.org_id
WHERE webhooks.enabled AND webhooks.last_seq < event_counters.last_seq ORDER BY random() LIMIT $1";

/// An endpoint and whose it is.
#[derive(FromQueryResult)]
pub(super) struct EndpointRow {
    id: Uuid,
    org_id: String,
}

impl EndpointRow {
    pub(super) fn into_pair(self) -> (OrgId, WebhookId) {
        (OrgId::new(self.org_id), WebhookId(self.id))
    }
}

impl Db {
    /// Endpoints for which there are events that no deliveries were made of.
    ///
    /// # Errors
    /// The database is away.
    pub async fn webhooks_behind(&self, limit: u64) -> Result<Vec<(OrgId, WebhookId)>, DbError> {
        self.in_time(async {
            let backend = self.connection.get_database_backend();
            let query = Statement::from_sql_and_values(backend, BEHIND, [signed(limit).into()]);
            let rows = EndpointRow::find_by_statement(query).all(&self.connection).await?;
            Ok(rows.into_iter().map(EndpointRow::into_pair).collect())
        })
        .await
    }

    /// Makes deliveries of the next `limit` events, to be tried for `retry`; how many deliveries.
    ///
    /// # Errors
    /// The database is away.
    pub async fn fan_out(&self, org: &OrgId, webhook: WebhookId, limit: u64, retry: Duration) -> Result<u64, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let endpoint = lock_endpoint(&tx, org, webhook).await?.filter(|row| row.enabled);
            let Some(row) = endpoint else { return Ok(0) };
            // Asked before the events: what is numbered up to here and not found was dropped.
            let newest = last_seq(&tx, org).await?;
            let events = next_events(&tx, &row, limit).await?;
            let last = events.last().map_or(newest, |event| event.seq);
            let filter = row.filter()?;
            let wanted = events.into_iter().filter(|event| filter.wants(&event.kind));
            let made = wanted.map(|event| delivery(&tx, &row, event, retry)).collect::<Result<Vec<_>, _>>()?;
            let count = made.len() as u64;
            if !made.is_empty() {
                deliveries::Entity::insert_many(made).exec_without_returning(&*tx).await?;
            }
            let mut row = row.into_active_model();
            row.last_seq = Set(last);
            row.update(&*tx).await?;
            tx.commit().await?;
            Ok(count)
        })
        .await
    }
}

pub(super) async fn lock_endpoint(
    tx: &WriteTx,
    org: &OrgId,
    webhook: WebhookId,
) -> Result<Option<webhooks::Model>, DbError> {
    let row = webhooks::Entity::find_by_id(webhook.0).filter(webhooks::Column::OrgId.eq(org.as_str()));
    Ok(row.lock_exclusive().one(&**tx).await?)
}

async fn next_events(tx: &WriteTx, row: &webhooks::Model, limit: u64) -> Result<Vec<events::Model>, DbError> {
    Ok(events::Entity::find()
        .filter(events::Column::OrgId.eq(&*row.org_id))
        .filter(events::Column::Seq.gt(row.last_seq))
        .order_by_asc(events::Column::Seq)
        .limit(limit)
        .all(&**tx)
        .await?)
}

fn delivery(
    tx: &WriteTx,
    row: &webhooks::Model,
    event: events::Model,
    retry: Duration,
) -> Result<deliveries::ActiveModel, DbError> {
    let trace = event.trace.clone();
    let event = event.into_event()?;
    let body = serde_json::to_string(&event.envelope()).map_err(|error| DbError::Garbled(error.to_string()))?;
    Ok(deliveries::ActiveModel {
        id: Set(DeliveryId::new().0),
        webhook_id: Set(row.id),
        org_id: Set(row.org_id.clone()),
        seq: Set(Some(event.seq)),
        file_id: Set(Some(event.file_id.0)),
        kind: Set(event.kind.as_str().to_owned()),
        body: Set(body),
        state: Set(DeliveryState::Waiting.as_str().to_owned()),
        attempts: Set(0),
        due_at: Set(tx.now.0),
        give_up_at: Set(tx.now.plus(retry).0),
        created_at: Set(tx.now.0),
        trace: Set(trace),
        ..Default::default()
    })
}
