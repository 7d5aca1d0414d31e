//! `/v1/webhooks`, for admins of the organisation: endpoints made, seen, changed, given another secret, tried and removed. Each change
//! is a line of the log.

use std::time::Duration;

use http::StatusCode;
use reelgate_common::{
    auth::Caller,
    ids::{DeliveryId, FileId, WebhookId},
    timestamp::Timestamp,
    webhook::{NewWebhook, TEST_KIND, Webhook},
};
use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use super::{
    answer::{DeletedWebhook, DeliveryJson, WebhookJson, WebhooksPage, WithSecret, webhook_not_found},
    ask::Ask,
    attempt, log, secret, wish,
};
use crate::{
    app::App,
    body::RequestBody,
    error::ApiError,
    json_body,
    query::Query,
    respond::{Response, ok},
    revoke::only_admins,
};

/// # Errors
/// 403 for a caller who is no admin, 404 for what the organisation does not have, 422 for a body or a parameter that is wrong, 409 for
/// one endpoint too many or a delivery that is under way, 429 for one test too many.
pub(crate) async fn handle(
    app: &App,
    caller: &Caller,
    ask: Ask,
    (query, body): (&Query<'_>, RequestBody),
) -> Result<Response, ApiError> {
    only_admins(caller)?;
    match ask {
        Ask::List => list(app, caller).await,
        Ask::Create => create(app, caller, body).await,
        Ask::Show(id) => show(app, caller, id).await,
        Ask::Change(id) => change(app, caller, id, body).await,
        Ask::Delete(id) => delete(app, caller, id).await,
        Ask::Rotate(id) => rotate(app, caller, id, body).await,
        Ask::Test(id) => test(app, caller, id).await,
        Ask::Deliveries(id) => log::list(app, caller, id, query).await,
        Ask::Resend(id, delivery) => log::resend(app, caller, id, delivery).await,
    }
}

async fn list(app: &App, caller: &Caller) -> Result<Response, ApiError> {
    let webhooks = app.db.list_webhooks(&caller.org).await?;
    Ok(ok(&WebhooksPage { webhooks: webhooks.into_iter().map(WebhookJson::from).collect() }))
}

async fn create(app: &App, caller: &Caller, body: RequestBody) -> Result<Response, ApiError> {
    let wish = wish::creation(&json_body::object(body).await?.unwrap_or_default(), &app.webhooks.guard)?;
    let (id, secret) = (WebhookId::new(), secret::generate());
    let new = NewWebhook {
        id,
        org_id: caller.org.clone(),
        url: wish.url,
        description: wish.description,
        events: wish.events,
        secret: secret::seal(&app.keyring, id, &secret),
    };
    let made = app.db.create_webhook(&new, app.config.webhooks.max_endpoints).await?;
    let webhook = made.ok_or_else(too_many_webhooks)?;
    tracing::info!(webhook.id = %id, org = %caller.org, user = %caller.user, events = ?webhook.events.words(),
        "a webhook was made");
    Ok(ok(&WithSecret { webhook: webhook.into(), secret }))
}

async fn show(app: &App, caller: &Caller, id: WebhookId) -> Result<Response, ApiError> {
    Ok(ok(&WebhookJson::from(find(app, caller, id).await?)))
}

async fn change(app: &App, caller: &Caller, id: WebhookId, body: RequestBody) -> Result<Response, ApiError> {
    let change = wish::change(&json_body::object(body).await?.unwrap_or_default(), &app.webhooks.guard)?;
    let changed = app.db.change_webhook(&caller.org, id, &change).await?.ok_or_else(webhook_not_found)?;
    tracing::info!(webhook.id = %id, org = %caller.org, user = %caller.user, url = change.url.is_some(),
        events = ?change.events.map(|events| events.words()), enabled = change.enabled, "a webhook was changed");
    Ok(ok(&WebhookJson::from(changed)))
}

async fn delete(app: &App, caller: &Caller, id: WebhookId) -> Result<Response, ApiError> {
    if !app.db.delete_webhook(&caller.org, id).await? {
        return Err(webhook_not_found());
    }
    tracing::info!(webhook.id = %id, org = %caller.org, user = %caller.user, "a webhook was deleted");
    Ok(ok(&DeletedWebhook { id, deleted: true }))
}

async fn rotate(app: &App, caller: &Caller, id: WebhookId, body: RequestBody) -> Result<Response, ApiError> {
    let usual = Duration::from_millis(app.config.webhooks.rotation_grace_ms);
    let grace = wish::grace(&json_body::object(body).await?.unwrap_or_default())?.unwrap_or(usual);
    let secret = secret::generate();
    let sealed = secret::seal(&app.keyring, id, &secret);
    let rotated = app.db.rotate_webhook(&caller.org, id, &sealed, grace).await?.ok_or_else(webhook_not_found)?;
    tracing::info!(webhook.id = %id, org = %caller.org, user = %caller.user, grace_ms = grace.as_millis() as u64,
        "a webhook's secret was rotated");
    Ok(ok(&WithSecret { webhook: rotated.into(), secret }))
}

/// Sends one delivery at once, also to an endpoint that is disabled, and says what came of it. It is not repeated.
async fn test(app: &App, caller: &Caller, id: WebhookId) -> Result<Response, ApiError> {
    let _place = app.webhooks.trials.try_acquire().map_err(|_| too_many_tests())?;
    let (delivery, taker) = (DeliveryId::new(), app.webhooks.taker(app.process.clone()));
    let body = test_body(delivery, Timestamp::now())?;
    let begun = app.db.begin_test_delivery(&caller.org, id, (delivery, body), &taker).await?;
    let claimed = begun.ok_or_else(webhook_not_found)?;
    let told = app.webhooks.send(&claimed).instrument(attempt::span(&claimed)).await;
    app.webhooks.settle(&app.db, &claimed, told).await?;
    tracing::info!(webhook.id = %id, org = %caller.org, user = %caller.user, "a webhook was tried");
    let sent = app.db.find_delivery(&caller.org, id, delivery).await?.ok_or_else(webhook_not_found)?;
    Ok(ok(&DeliveryJson::from(sent)))
}

/// The envelope of an event, of no file.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTestEvent)]
pub(crate) struct Trial {
    /// Of the delivery.
    id: DeliveryId,
    /// `webhook.test`
    #[serde(rename = "type")]
    kind: &'static str,
    /// `null`
    file_id: Option<FileId>,
    created_at: Timestamp,
    #[schema(inline)]
    data: Nothing,
}

#[derive(Serialize, ToSchema)]
struct Nothing {}

fn test_body(id: DeliveryId, created_at: Timestamp) -> Result<String, ApiError> {
    let trial = Trial { id, kind: TEST_KIND, file_id: None, created_at, data: Nothing {} };
    serde_json::to_string(&trial).map_err(|_| ApiError::internal())
}

async fn find(app: &App, caller: &Caller, id: WebhookId) -> Result<Webhook, ApiError> {
    app.db.find_webhook(&caller.org, id).await?.ok_or_else(webhook_not_found)
}

fn too_many_tests() -> ApiError {
    let detail = "The gateway tries as many webhooks as it may at once";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_webhook_tests", detail).retry_after(5)
}

fn too_many_webhooks() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "too_many_webhooks", "The organisation has as many webhooks as it may have")
}
