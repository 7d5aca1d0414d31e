//! Deliveries on their way: who takes which to send, and what came of it. Decided by `states::delivery`, under the rows' locks, the
//! endpoint's before the delivery's.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QuerySelect, Set, Statement,
    prelude::Uuid,
};

use super::{
    Db, DbError, Settled,
    entity::{deliveries, signed, webhooks},
    fan_out::{EndpointRow, lock_endpoint},
    transaction::WriteTx,
    webhooks::disable,
};
use crate::{
    ids::{DeliveryId, OrgId, ProcessId, WebhookId},
    queue::backoff::backoff,
    states::delivery::{DeliveryEvent, DeliveryView, transition},
    timestamp::Timestamp,
    traces::carried,
    webhook::{ClaimedDelivery, DeliveryPolicy, DeliveryState, DisabledReason, Miss, TEST_KIND, Told},
};

/// An event waits while an earlier one of its file is open at the same endpoint. What is put off for longer than anything is was put off
/// before the clock was set back.
const DUE: &str = "
    due.finished_at IS NULL AND (due.due_at <= $1 OR due.due_at > $2) AND NOT EXISTS (
        SELECT 1 FROM deliveries earlier
        WHERE earlier.webhook_id = due.webhook_id AND earlier.file_id = due.file_id AND earlier.seq < due.seq
            AND earlier.finished_at IS NULL)";

/// Whose turn was longest ago first, and none that is sent as many as it may be.
const DUE_ENDPOINTS: &str = "
SELECT webhooks.id, webhooks.org_id FROM webhooks
WHERE webhooks.enabled
    AND EXISTS (SELECT 1 FROM deliveries due WHERE due.webhook_id = webhooks.id AND {due})
    AND (SELECT COUNT(*) FROM deliveries sent WHERE sent.webhook_id = webhooks.id AND {sent}) < $3
ORDER BY webhooks.served_at, webhooks.id LIMIT $4";

const SENT: &str = "sent.finished_at IS NULL AND sent.state = 'sending' AND sent.due_at > $1 AND sent.due_at <= $2";

const DUE_DELIVERIES: &str = "
SELECT due.id FROM deliveries due WHERE due.webhook_id = $3 AND {due} ORDER BY due.due_at, due.seq LIMIT $4";

const SENT_DELIVERIES: &str = "
SELECT CAST(COUNT(*) AS BIGINT) AS count FROM deliveries sent WHERE sent.webhook_id = $3 AND {sent}";

#[derive(FromQueryResult)]
struct DueRow {
    id: Uuid,
}

/// Who takes deliveries, and how many.
#[derive(Debug, Clone)]
pub struct Taker {
    pub holder: ProcessId,
    /// How long a claim holds.
    pub lease: Duration,
    /// The longest that anything is put off.
    pub longest_wait: Duration,
    /// Of one endpoint at a time.
    pub per_endpoint: u64,
}

impl Taker {
    fn bounds(&self, now: Timestamp) -> [sea_orm::Value; 2] {
        [now.0.into(), self.ahead(now).0.into()]
    }

    fn ahead(&self, now: Timestamp) -> Timestamp {
        now.plus(self.longest_wait.max(self.lease) * 2)
    }
}

fn spelt(sql: &str) -> String {
    sql.replace("{due}", DUE).replace("{sent}", SENT)
}

impl Db {
    /// Endpoints that something may be sent to now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn due_webhooks(&self, taker: &Taker, limit: u64) -> Result<Vec<(OrgId, WebhookId)>, DbError> {
        self.in_time(async {
            let [now, ahead] = taker.bounds(self.now().await?);
            let values = [now, ahead, signed(taker.per_endpoint).into(), signed(limit).into()];
            let backend = self.connection.get_database_backend();
            let query = Statement::from_sql_and_values(backend, spelt(DUE_ENDPOINTS), values);
            let rows = EndpointRow::find_by_statement(query).all(&self.connection).await?;
            Ok(rows.into_iter().map(EndpointRow::into_pair).collect())
        })
        .await
    }

    /// Takes what may be sent to an endpoint now, at most `limit`. Of one file it is the earliest, and whoever else asks gets other
    /// deliveries or none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn claim_deliveries(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        taker: &Taker,
        limit: usize,
    ) -> Result<Vec<ClaimedDelivery>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let endpoint = lock_endpoint(&tx, org, webhook).await?.filter(|row| row.enabled);
            let Some(endpoint) = endpoint else { return Ok(Vec::new()) };
            let mut claimed = Vec::new();
            for due in due_of(&tx, webhook, taker, limit).await? {
                claimed.extend(claim(&tx, &endpoint, due.id, taker).await?);
            }
            if claimed.is_empty() {
                return Ok(claimed);
            }
            let mut endpoint = endpoint.into_active_model();
            endpoint.served_at = Set(tx.now.0);
            endpoint.update(&*tx).await?;
            tx.commit().await?;
            Ok(claimed)
        })
        .await
    }

    /// Makes a delivery that tries the endpoint, taken by `taker` already. It is sent once. `None` when there is no such endpoint.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_test_delivery(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        (id, body): (DeliveryId, String),
        taker: &Taker,
    ) -> Result<Option<ClaimedDelivery>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(endpoint) = lock_endpoint(&tx, org, webhook).await? else { return Ok(None) };
            let row = deliveries::ActiveModel {
                id: Set(id.0),
                webhook_id: Set(endpoint.id),
                org_id: Set(endpoint.org_id.clone()),
                kind: Set(TEST_KIND.to_owned()),
                body: Set(body),
                state: Set(DeliveryState::Waiting.as_str().to_owned()),
                attempts: Set(0),
                due_at: Set(tx.now.0),
                give_up_at: Set(tx.now.0),
                created_at: Set(tx.now.0),
                trace: Set(carried()),
                ..Default::default()
            };
            deliveries::Entity::insert(row).exec_without_returning(&*tx).await?;
            let claimed = claim(&tx, &endpoint, id.0, taker).await?;
            tx.commit().await?;
            Ok(claimed)
        })
        .await
    }

    /// Writes down what came of an attempt: of the delivery, and for its endpoint.
    ///
    /// # Errors
    /// The database is away.
    pub async fn settle_delivery(
        &self,
        org: &OrgId,
        claimed: &ClaimedDelivery,
        told: Told,
        policy: &DeliveryPolicy,
        jitter: f64,
    ) -> Result<Settled, DbError> {
        let attempt = claimed.delivery.attempts;
        self.in_time(async {
            let tx = self.write().await?;
            let Some(endpoint) = lock_endpoint(&tx, org, claimed.delivery.webhook_id).await? else {
                return Ok(Settled::Stale);
            };
            let event = match told.miss {
                None => DeliveryEvent::Succeed { attempt },
                Some(_) => DeliveryEvent::Fail { attempt, again_at: again_at(tx.now, attempt, policy, jitter) },
            };
            let Some((row, next)) = moved(&tx, claimed.delivery.id, event).await? else { return Ok(Settled::Stale) };
            let mut row = write(row, next, tx.now);
            row.last_status = Set(told.status.map(i64::from));
            row.last_error = Set(told.miss.map(Miss::as_str).map(str::to_owned));
            (row.duration_ms, row.attempted_at) = (Set(Some(signed(told.duration_ms))), Set(Some(tx.now.0)));
            row.update(&*tx).await?;
            if claimed.delivery.kind != TEST_KIND {
                note_health(&tx, endpoint, told.miss.is_some(), policy).await?;
            }
            tx.commit().await?;
            Ok(match next.state {
                DeliveryState::Delivered => Settled::Delivered,
                DeliveryState::GivenUp => Settled::GivenUp,
                DeliveryState::Waiting | DeliveryState::Sending => Settled::Again(next.due_at),
            })
        })
        .await
    }

    /// Hands a delivery back of which nobody knows what came of it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn release_delivery(&self, org: &OrgId, claimed: &ClaimedDelivery) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            if lock_endpoint(&tx, org, claimed.delivery.webhook_id).await?.is_none() {
                return Ok(());
            }
            let event = DeliveryEvent::Release { attempt: claimed.delivery.attempts, now: tx.now };
            if let Some((row, next)) = moved(&tx, claimed.delivery.id, event).await? {
                write(row, next, tx.now).update(&*tx).await?;
            }
            tx.commit().await
        })
        .await
    }
}

async fn due_of(tx: &WriteTx, webhook: WebhookId, taker: &Taker, limit: usize) -> Result<Vec<DueRow>, DbError> {
    let [now, ahead] = taker.bounds(tx.now);
    let backend = tx.get_database_backend();
    let bounds = [now.clone(), ahead.clone(), webhook.0.into()];
    let sent = tx.query_one_raw(Statement::from_sql_and_values(backend, spelt(SENT_DELIVERIES), bounds)).await?;
    let sent: i64 = sent.ok_or_else(|| DbError::Garbled("a count gave no row".to_owned()))?.try_get("", "count")?;
    let room = signed(taker.per_endpoint).saturating_sub(sent).clamp(0, signed(limit as u64));
    let values = [now, ahead, webhook.0.into(), room.into()];
    let query = Statement::from_sql_and_values(backend, spelt(DUE_DELIVERIES), values);
    Ok(DueRow::find_by_statement(query).all(&**tx).await?)
}

/// `None` when it has been settled since it was looked for.
async fn claim(
    tx: &WriteTx,
    endpoint: &webhooks::Model,
    delivery: Uuid,
    taker: &Taker,
) -> Result<Option<ClaimedDelivery>, DbError> {
    let Some(mut row) = locked(tx, DeliveryId(delivery)).await? else { return Ok(None) };
    if row.due_at > taker.ahead(tx.now).0 {
        row.due_at = tx.now.0;
    }
    let event = DeliveryEvent::Claim { now: tx.now, until: tx.now.plus(taker.lease) };
    let Ok(next) = transition(row.view()?, event) else { return Ok(None) };
    let mut row = write(row, next, tx.now);
    row.holder = Set(Some(taker.holder.as_str().to_owned()));
    let delivery = row.update(&**tx).await?.into_delivery()?;
    Ok(Some(ClaimedDelivery { delivery, url: endpoint.url.clone(), secrets: endpoint.secrets(tx.now) }))
}

async fn locked(tx: &WriteTx, delivery: DeliveryId) -> Result<Option<deliveries::Model>, DbError> {
    Ok(deliveries::Entity::find_by_id(delivery.0).lock_exclusive().one(&**tx).await?)
}

async fn moved(
    tx: &WriteTx,
    delivery: DeliveryId,
    event: DeliveryEvent,
) -> Result<Option<(deliveries::Model, DeliveryView)>, DbError> {
    let Some(row) = locked(tx, delivery).await? else { return Ok(None) };
    let next = transition(row.view()?, event);
    Ok(next.ok().map(|next| (row, next)))
}

fn write(row: deliveries::Model, next: DeliveryView, now: Timestamp) -> deliveries::ActiveModel {
    let mut row = row.into_active_model();
    row.state = Set(next.state.as_str().to_owned());
    (row.attempts, row.due_at) = (Set(next.attempt), Set(next.due_at.0));
    row.finished_at = Set(next.state.is_over().then_some(now.0));
    row
}

fn again_at(now: Timestamp, attempt: i64, policy: &DeliveryPolicy, jitter: f64) -> Timestamp {
    let (base, most) = (Duration::from_millis(policy.backoff_base_ms), Duration::from_millis(policy.backoff_max_ms));
    now.plus(backoff(base, most, u32::try_from(attempt).unwrap_or(u32::MAX), jitter))
}

/// An endpoint that has only failed, for so long and so often, is disabled.
async fn note_health(
    tx: &WriteTx,
    endpoint: webhooks::Model,
    failed: bool,
    policy: &DeliveryPolicy,
) -> Result<(), DbError> {
    if !failed && endpoint.failures == 0 {
        return Ok(());
    }
    let since = endpoint.failing_since.unwrap_or(tx.now.0);
    let (failures, enabled) = (endpoint.failures + 1, endpoint.enabled);
    let mut row = endpoint.into_active_model();
    (row.failing_since, row.failures) = if failed { (Set(Some(since)), Set(failures)) } else { (Set(None), Set(0)) };
    let long = tx.now.since(Timestamp(since)) >= Duration::from_millis(policy.disable_after_ms);
    if failed && enabled && long && failures >= policy.disable_failures {
        disable(tx, &mut row, DisabledReason::Failing);
    }
    row.update(&**tx).await?;
    Ok(())
}
