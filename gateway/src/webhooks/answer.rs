//! Endpoints and deliveries as the API shows them. A secret is in an answer twice in its life: when it is made, and when it takes the
//! place of another.

use http::StatusCode;
use reelgate_common::{
    ids::{DeliveryId, FileId, WebhookId},
    timestamp::Timestamp,
    webhook::{Delivery, DeliveryState, DisabledReason, Miss, Webhook},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// An endpoint of an organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookJson {
    id: WebhookId,
    url: String,
    description: String,
    /// `*`, or kinds of events.
    events: Vec<String>,
    enabled: bool,
    /// Why it is told nothing.
    disabled: Option<DisabledJson>,
    /// Since when every attempt has failed, and how many have.
    failing_since: Option<Timestamp>,
    failures: i64,
    /// Until when the secret before the last rotation signs as well.
    old_secret_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Why an endpoint is told nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDisabled)]
struct DisabledJson {
    reason: DisabledReason,
    at: Timestamp,
}

/// With the secret that signs from now on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub(super) struct WithSecret {
    #[serde(flatten)]
    pub(super) webhook: WebhookJson,
    pub(super) secret: String,
}

/// All endpoints of an organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhooks)]
pub(super) struct WebhooksPage {
    pub(super) webhooks: Vec<WebhookJson>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeletedWebhook)]
pub(super) struct DeletedWebhook {
    pub(super) id: WebhookId,
    pub(super) deleted: bool,
}

impl From<Webhook> for WebhookJson {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            description: webhook.description,
            events: webhook.events.words(),
            enabled: webhook.enabled,
            disabled: webhook.disabled.map(|(reason, at)| DisabledJson { reason, at }),
            failing_since: webhook.failing_since,
            failures: webhook.failures,
            old_secret_until: webhook.secrets.old.map(|(_, until)| until),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// One event for one endpoint, or a test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryJson {
    id: DeliveryId,
    webhook_id: WebhookId,
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    file_id: Option<FileId>,
    state: DeliveryState,
    attempts: i64,
    /// While it waits.
    next_attempt_at: Option<Timestamp>,
    /// While it is not over: after this it is given up.
    give_up_at: Option<Timestamp>,
    last_attempt: Option<AttemptJson>,
    /// What is sent, to the letter.
    body: String,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

/// The attempt that ended last.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
struct AttemptJson {
    at: Timestamp,
    duration_ms: u64,
    /// Of the receiver's answer.
    status: Option<u16>,
    error: Option<ErrorJson>,
}

/// Why it has not delivered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryError)]
struct ErrorJson {
    code: Miss,
    message: &'static str,
}

/// Deliveries, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryPage)]
pub(super) struct DeliveriesPage {
    pub(super) deliveries: Vec<DeliveryJson>,
    pub(super) next: Option<DeliveryId>,
}

impl From<Delivery> for DeliveryJson {
    fn from(delivery: Delivery) -> Self {
        let waits = delivery.state == DeliveryState::Waiting;
        let last_attempt = delivery.last.map(|last| AttemptJson {
            at: last.at,
            duration_ms: last.told.duration_ms,
            status: last.told.status,
            error: last.told.miss.map(|code| ErrorJson { code, message: code.message() }),
        });
        Self {
            event_id: delivery.event_id(),
            id: delivery.id,
            webhook_id: delivery.webhook_id,
            kind: delivery.kind,
            file_id: delivery.file_id,
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt_at: waits.then_some(delivery.due_at),
            give_up_at: (!delivery.state.is_over()).then_some(delivery.give_up_at),
            last_attempt,
            body: delivery.body,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}

pub(super) fn webhook_not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "webhook_not_found", "Webhook not found")
}
