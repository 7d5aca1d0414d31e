//! What `/openapi.json` says of `/v1/webhooks`.

use http::Method;
use reelgate_common::{
    ids::{DeliveryId, WebhookId},
    webhook::DeliveryState,
};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answer::{DeletedWebhook, DeliveriesPage, DeliveryJson, WebhookJson, WebhooksPage, WithSecret};
use crate::endpoint::{Endpoint, Tag, failures::DATABASE, inline, media};

const WEBHOOK: &str = "0193d2c9-1b22-7a11-9c3d-5a6b7c8d9e0f";
const DELIVERY: &str = "0193d2ca-44f0-7c05-8e11-0f1e2d3c4b5a";

/// In the order of the document.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let list = admins(Endpoint::get("/v1/webhooks", "listWebhooks", Tag::Webhooks))
        .says("Lists webhooks", "All endpoints of the organisation, the oldest first.")
        .answers::<WebhooksPage>(200, "They.", &json!({ "webhooks": [webhook()] }));
    let create = admins(Endpoint::post("/v1/webhooks", "createWebhook", Tag::Webhooks))
        .says(
            "Makes a webhook",
            "It is told of what happens from now on. The secret that signs is in this answer and in no other.",
        )
        .takes::<WebhookWish>(
            "Where to, and what of.",
            &json!({ "url": "https://hooks.example/reelgate", "events": ["file.ready"] }),
        )
        .answers::<WithSecret>(200, "The webhook, and its secret.", &with_secret())
        .fails(&["too_many_webhooks"]);
    let show = of_webhook(Endpoint::get("/v1/webhooks/{webhook_id}", "getWebhook", Tag::Webhooks))
        .says("Shows a webhook", "Also whether it works, and why it is told nothing if it is not.")
        .answers::<WebhookJson>(200, "The webhook.", &webhook());
    let change = of_webhook(Endpoint::new(Method::PATCH, "/v1/webhooks/{webhook_id}", "changeWebhook", Tag::Webhooks))
        .says(
            "Changes a webhook",
            "What is not named stays. One that is enabled again is told of what happens from then on.",
        )
        .may_take::<WebhookChangeWish>("What is to be another.", &json!({ "enabled": true }))
        .answers::<WebhookJson>(200, "The webhook as it is now.", &webhook());
    let delete = of_webhook(Endpoint::delete("/v1/webhooks/{webhook_id}", "deleteWebhook", Tag::Webhooks))
        .says("Deletes a webhook", "With its log; what waits is sent no more.")
        .answers::<DeletedWebhook>(200, "It is gone.", &json!({ "id": WEBHOOK, "deleted": true }));
    let rotate = of_webhook(Endpoint::post("/v1/webhooks/{webhook_id}/rotate", "rotateWebhook", Tag::Webhooks))
        .says("Rotates the secret", "A new one signs from now on. The one before signs beside it for a while.")
        .may_take::<RotationWish>("How long that is.", &json!({ "grace_seconds": 3600 }))
        .answers::<WithSecret>(200, "The webhook, and its new secret.", &with_secret());
    let test = of_webhook(Endpoint::post("/v1/webhooks/{webhook_id}/test", "testWebhook", Tag::Webhooks))
        .says(
            "Tries a webhook",
            "Sends one delivery of type `webhook.test` at once and says what came of it. It is not repeated.",
        )
        .answers::<DeliveryJson>(200, "The delivery.", &delivery())
        .fails(&["too_many_webhook_tests"]);
    vec![list, create, show, change, delete, rotate, test, log(), resend()]
}

fn log() -> Endpoint {
    of_webhook(Endpoint::get("/v1/webhooks/{webhook_id}/deliveries", "listDeliveries", Tag::Webhooks))
        .says("Lists deliveries", "What was sent to the webhook and what waits, the newest first.")
        .query("state", inline::<DeliveryState>(), "Only deliveries in this state.", json!("given_up"))
        .limited()
        .query("cursor", inline::<DeliveryId>(), "`next` of the page before.", json!(DELIVERY))
        .answers::<DeliveriesPage>(200, "A page.", &json!({ "deliveries": [delivery()], "next": null }))
}

fn resend() -> Endpoint {
    let path = "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend";
    of_webhook(Endpoint::post(path, "resendDelivery", Tag::Webhooks))
        .says(
            "Sends a delivery again",
            "One that was delivered or given up. It is the same delivery, and its attempts go on counting.",
        )
        .path("delivery_id", inline::<DeliveryId>(), "The delivery.", json!(DELIVERY))
        .answers::<DeliveryJson>(200, "It waits.", &delivery())
        .fails(&["delivery_not_found", "delivery_under_way"])
}

fn admins(endpoint: Endpoint) -> Endpoint {
    endpoint.signed_in().fails(&["not_admin"]).fails(DATABASE)
}

fn of_webhook(endpoint: Endpoint) -> Endpoint {
    let codes = &["validation_failed", "webhook_not_found"];
    admins(endpoint).path("webhook_id", inline::<WebhookId>(), "The webhook.", json!(WEBHOOK)).fails(codes)
}

fn webhook() -> Value {
    json!({
        "id": WEBHOOK,
        "url": "https://hooks.example/reelgate",
        "description": "",
        "events": ["file.ready"],
        "enabled": true,
        "disabled": null,
        "failing_since": null,
        "failures": 0,
        "old_secret_until": null,
        "created_at": "2026-11-30T09:12:58.911Z",
        "updated_at": "2026-11-30T09:12:58.911Z",
    })
}

fn with_secret() -> Value {
    let mut shown = webhook();
    shown["secret"] = "whsec_2yqZ8m0b1c3d5e7f9gAhBiCjDkElFmGnHoIpJqKrLsM".into();
    shown
}

fn delivery() -> Value {
    json!({
        "id": DELIVERY,
        "webhook_id": WEBHOOK,
        "event_id": "17",
        "type": "file.ready",
        "file_id": media::FILE,
        "state": "delivered",
        "attempts": 1,
        "next_attempt_at": null,
        "give_up_at": null,
        "last_attempt": { "at": "2026-11-30T09:14:02.120Z", "duration_ms": 84, "status": 204, "error": null },
        "body": "{\"id\":\"17\",\"type\":\"file.ready\"}",
        "created_at": "2026-11-30T09:14:02.004Z",
        "finished_at": "2026-11-30T09:14:02.120Z",
    })
}

/// A webhook to be made, as the document tells it; `wish` reads it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct WebhookWish {
    /// An https address.
    #[schema(max_length = 2048)]
    url: String,
    #[schema(max_length = 200)]
    description: Option<String>,
    /// Kinds of events, or `*`; all unless said otherwise.
    #[schema(min_items = 1, max_items = 100)]
    events: Option<Vec<String>>,
}

/// What is to be another of a webhook.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct WebhookChangeWish {
    #[schema(max_length = 2048)]
    url: Option<String>,
    #[schema(max_length = 200)]
    description: Option<String>,
    #[schema(min_items = 1, max_items = 100)]
    events: Option<Vec<String>>,
    enabled: Option<bool>,
}

/// How a secret makes place.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct RotationWish {
    /// For so long the one before signs, too.
    #[schema(maximum = 604_800)]
    grace_seconds: Option<u64>,
}
