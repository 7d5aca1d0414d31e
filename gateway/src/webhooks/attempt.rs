//! One attempt of a claimed delivery: sign, post, and write down what came of it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reelgate_common::{
    db::{Db, DbError, Settled},
    metric::WEBHOOK_ATTEMPTS,
    scope,
    timestamp::Timestamp,
    traces::{self, TRACEPARENT},
    webhook::{ClaimedDelivery, Miss, Told},
};

use tracing::{Span, field::Empty};

use super::{Webhooks, exchange::Letter, secret, signature::signature};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Reelgate/", env!("CARGO_PKG_VERSION")));

/// Of one attempt: it goes on with the trace of what the event tells. Its endpoint's address is its owner's, so it is not in it.
pub(super) fn span(claimed: &ClaimedDelivery) -> Span {
    let delivery = &claimed.delivery;
    let span = scope!(
        "delivery", otel.name = "POST webhook", otel.kind = "client", http.request.method = "POST",
        http.response.status_code = Empty, delivery.id = %delivery.id, webhook.id = %delivery.webhook_id,
        file.id = delivery.file_id.map(display), reelgate.event = delivery.kind, attempt = delivery.attempts,
    );
    traces::adopt(&span, delivery.trace.as_deref());
    span
}

impl Webhooks {
    /// Sends it once.
    pub(super) async fn send(&self, claimed: &ClaimedDelivery) -> Told {
        let told = match self.letter(claimed, Timestamp::now()) {
            Some(letter) => self.post(letter).await,
            None => Told { status: None, miss: Some(Miss::SecretUnreadable), duration_ms: 0 },
        };
        let span = Span::current();
        span.record("http.response.status_code", told.status);
        if let Some(miss) = told.miss {
            traces::failed(&span, miss.as_str());
        }
        told
    }

    /// Nothing is sent that is not signed.
    fn letter(&self, claimed: &ClaimedDelivery, now: Timestamp) -> Option<Letter> {
        let delivery = &claimed.delivery;
        let secrets = secret::open(&self.keyring, delivery.webhook_id, &claimed.secrets).ok()?;
        let said = [
            ("reelgate-signature", signature(secrets.iter().map(String::as_str), now, &delivery.body)),
            ("reelgate-event-id", delivery.event_id()),
            ("reelgate-event-type", delivery.kind.clone()),
            ("reelgate-delivery-id", delivery.id.to_string()),
            ("reelgate-attempt", delivery.attempts.to_string()),
        ];
        let pair = |(name, value): (&'static str, String)| {
            Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
        };
        let mut headers: HeaderMap = said.into_iter().map(pair).collect::<Option<_>>()?;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        if let Some(trace) = traces::carried().and_then(|trace| HeaderValue::try_from(trace).ok()) {
            headers.insert(TRACEPARENT, trace);
        }
        Some(Letter { url: claimed.url.clone(), headers, body: Bytes::from(delivery.body.clone()) })
    }

    /// # Errors
    /// The database is away; the claim ends by itself, and the delivery is sent again.
    pub(super) async fn settle(&self, db: &Db, claimed: &ClaimedDelivery, told: Told) -> Result<Settled, DbError> {
        let (delivery, policy) = (&claimed.delivery, self.config.policy());
        let settled = db.settle_delivery(&delivery.org_id, claimed, told, &policy, rand::random()).await?;
        let outcome = match settled {
            Settled::Delivered => "delivered",
            Settled::Again(_) => "failed",
            Settled::GivenUp => "given_up",
            Settled::Stale => "stale",
        };
        WEBHOOK_ATTEMPTS.counter_of([("outcome", outcome)]).increment(1);
        tracing::info!(delivery.id = %delivery.id, webhook.id = %delivery.webhook_id, org = %delivery.org_id,
            attempt = delivery.attempts, outcome, status = told.status, error = told.miss.map(Miss::as_str),
            duration_ms = told.duration_ms, "a delivery was tried");
        Ok(settled)
    }
}
