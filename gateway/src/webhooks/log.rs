//! `/v1/webhooks/{id}/deliveries`: what was sent to an endpoint, and sending some of it once more.

use http::StatusCode;
use reelgate_common::{
    auth::Caller,
    db::{DeliveryFilter, Resent},
    ids::{DeliveryId, WebhookId},
};

use super::answer::{DeliveriesPage, DeliveryJson, webhook_not_found};
use crate::{
    app::App,
    error::ApiError,
    query::{Query, Reader},
    respond::{Response, ok},
};

/// `?state&limit&cursor`, newest first.
pub(super) async fn list(
    app: &App,
    caller: &Caller,
    webhook: WebhookId,
    query: &Query<'_>,
) -> Result<Response, ApiError> {
    let wanted = parse(query)?;
    app.db.find_webhook(&caller.org, webhook).await?.ok_or_else(webhook_not_found)?;
    // One more tells whether anything follows.
    let filter = DeliveryFilter { limit: wanted.limit + 1, ..wanted.clone() };
    let mut deliveries = app.db.list_deliveries(&caller.org, webhook, &filter).await?;
    let more = deliveries.len() as u64 > wanted.limit;
    deliveries.truncate(usize::try_from(wanted.limit).unwrap_or(usize::MAX));
    let next = deliveries.last().filter(|_| more).map(|delivery| delivery.id);
    Ok(ok(&DeliveriesPage { deliveries: deliveries.into_iter().map(DeliveryJson::from).collect(), next }))
}

pub(super) async fn resend(
    app: &App,
    caller: &Caller,
    webhook: WebhookId,
    delivery: DeliveryId,
) -> Result<Response, ApiError> {
    app.db.find_webhook(&caller.org, webhook).await?.ok_or_else(webhook_not_found)?;
    match app.db.resend_delivery(&caller.org, webhook, delivery, app.config.webhooks.retry()).await? {
        Resent::Waiting(waiting) => {
            tracing::info!(webhook.id = %webhook, delivery.id = %delivery, org = %caller.org, user = %caller.user,
                "a delivery is sent again");
            Ok(ok(&DeliveryJson::from(*waiting)))
        }
        Resent::UnderWay => {
            let detail = "The delivery waits or is being sent already";
            Err(ApiError::new(StatusCode::CONFLICT, "delivery_under_way", detail))
        }
        Resent::NoSuchDelivery => Err(ApiError::new(StatusCode::NOT_FOUND, "delivery_not_found", "Delivery not found")),
    }
}

fn parse(query: &Query<'_>) -> Result<DeliveryFilter, ApiError> {
    let mut read = Reader::new(query);
    let filter = DeliveryFilter {
        state: read.parsed("state", "Input should be a delivery state", "enum"),
        after: read.parsed("cursor", "Input should be the `next` of an earlier page", "value_error"),
        limit: read.limit(),
    };
    read.done(filter)
}

#[cfg(test)]
mod tests {
    use reelgate_common::webhook::DeliveryState;

    use super::*;
    use crate::query::DEFAULT_LIMIT;

    #[test]
    fn each_wrong_filter_is_named() {
        let id = DeliveryId::new();
        let filter = parse(&Query::parse(Some(&format!("state=given_up&limit=7&cursor={id}")))).unwrap();
        assert_eq!((filter.state, filter.after, filter.limit), (Some(DeliveryState::GivenUp), Some(id), 7));
        assert_eq!(parse(&Query::parse(Some("state=&cursor="))).unwrap().limit, DEFAULT_LIMIT);
        let crate::error::Detail::Invalid(wrong) =
            parse(&Query::parse(Some("state=lost&limit=0&cursor=x"))).unwrap_err().detail
        else {
            panic!("a list")
        };
        assert_eq!(wrong.len(), 3);
    }
}
