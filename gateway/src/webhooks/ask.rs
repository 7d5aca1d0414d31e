//! What is asked of `/v1/webhooks` and below it: a path, then a method, parsed once.

use http::Method;
use reelgate_common::ids::{DeliveryId, WebhookId};

use crate::error::ApiError;

/// A path, before the method is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    All,
    One(&'a str),
    Rotate(&'a str),
    Test(&'a str),
    Deliveries(&'a str),
    Resend(&'a str, &'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    List,
    Create,
    Show(WebhookId),
    Change(WebhookId),
    Delete(WebhookId),
    Rotate(WebhookId),
    Test(WebhookId),
    Deliveries(WebhookId),
    Resend(WebhookId, DeliveryId),
}

impl<'a> Place<'a> {
    /// What follows `/v1/webhooks`.
    pub(crate) fn parse(rest: &'a str) -> Option<Self> {
        if rest.is_empty() {
            return Some(Self::All);
        }
        let segments: Vec<&str> = rest.strip_prefix('/')?.splitn(5, '/').collect();
        match *segments {
            [id] if !id.is_empty() => Some(Self::One(id)),
            [id, "rotate"] => Some(Self::Rotate(id)),
            [id, "test"] => Some(Self::Test(id)),
            [id, "deliveries"] => Some(Self::Deliveries(id)),
            [id, "deliveries", delivery, "resend"] => Some(Self::Resend(id, delivery)),
            _ => None,
        }
    }

    /// As `Allow` lists them.
    pub(crate) fn methods(self) -> &'static str {
        match self {
            Self::All => "GET, HEAD, POST, OPTIONS",
            Self::One(_) => "GET, HEAD, PATCH, DELETE, OPTIONS",
            Self::Deliveries(_) => "GET, HEAD, OPTIONS",
            Self::Rotate(_) | Self::Test(_) | Self::Resend(..) => "POST, OPTIONS",
        }
    }
}

impl Ask {
    /// `None` for a method that the place does not take.
    ///
    /// # Errors
    /// 422 for an id that is none.
    pub(crate) fn of(place: Place<'_>, method: &Method) -> Result<Option<Self>, ApiError> {
        Ok(Some(match (place, method) {
            (Place::All, &Method::GET) => Self::List,
            (Place::All, &Method::POST) => Self::Create,
            (Place::One(id), &Method::GET) => Self::Show(webhook(id)?),
            (Place::One(id), &Method::PATCH) => Self::Change(webhook(id)?),
            (Place::One(id), &Method::DELETE) => Self::Delete(webhook(id)?),
            (Place::Rotate(id), &Method::POST) => Self::Rotate(webhook(id)?),
            (Place::Test(id), &Method::POST) => Self::Test(webhook(id)?),
            (Place::Deliveries(id), &Method::GET) => Self::Deliveries(webhook(id)?),
            (Place::Resend(id, delivery), &Method::POST) => {
                let delivery = delivery.parse().map_err(|_| ApiError::no_id("delivery_id"))?;
                Self::Resend(webhook(id)?, delivery)
            }
            _ => return Ok(None),
        }))
    }

    /// Name for logs and metrics.
    /// The path as it is documented.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::List | Self::Create => "/v1/webhooks",
            Self::Show(_) | Self::Change(_) | Self::Delete(_) => "/v1/webhooks/{webhook_id}",
            Self::Rotate(_) => "/v1/webhooks/{webhook_id}/rotate",
            Self::Test(_) => "/v1/webhooks/{webhook_id}/test",
            Self::Deliveries(_) => "/v1/webhooks/{webhook_id}/deliveries",
            Self::Resend(..) => "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "webhooks",
            Self::Create => "create_webhook",
            Self::Show(_) => "webhook",
            Self::Change(_) => "change_webhook",
            Self::Delete(_) => "delete_webhook",
            Self::Rotate(_) => "rotate_webhook",
            Self::Test(_) => "test_webhook",
            Self::Deliveries(_) => "deliveries",
            Self::Resend(..) => "resend_delivery",
        }
    }
}

fn webhook(text: &str) -> Result<WebhookId, ApiError> {
    text.parse().map_err(|_| ApiError::no_id("webhook_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, rest: &str) -> Option<Ask> {
        Ask::of(Place::parse(rest)?, method).ok().flatten()
    }

    #[test]
    fn every_endpoint_has_its_name() {
        let (id, delivery) = (WebhookId::new(), DeliveryId::new());
        for (method, rest, ask) in [
            (Method::GET, String::new(), Ask::List),
            (Method::POST, String::new(), Ask::Create),
            (Method::GET, format!("/{id}"), Ask::Show(id)),
            (Method::PATCH, format!("/{id}"), Ask::Change(id)),
            (Method::DELETE, format!("/{id}"), Ask::Delete(id)),
            (Method::POST, format!("/{id}/rotate"), Ask::Rotate(id)),
            (Method::POST, format!("/{id}/test"), Ask::Test(id)),
            (Method::GET, format!("/{id}/deliveries"), Ask::Deliveries(id)),
            (Method::POST, format!("/{id}/deliveries/{delivery}/resend"), Ask::Resend(id, delivery)),
        ] {
            assert_eq!(of(&method, &rest), Some(ask), "{method} {rest}");
            assert!(Place::parse(&rest).unwrap().methods().contains(method.as_str()), "{method} {rest}");
        }
    }

    #[test]
    fn other_paths_methods_and_ids_are_none() {
        let id = WebhookId::new();
        for rest in ["/", "x", &format!("/{id}/"), &format!("/{id}/other"), &format!("/{id}/deliveries/x/resend/y")] {
            assert!(Place::parse(rest).is_none(), "{rest}");
        }
        assert_eq!(of(&Method::DELETE, ""), None);
        assert_eq!(of(&Method::GET, &format!("/{id}/test")), None);
        let wrong = Ask::of(Place::One("7"), &Method::GET).unwrap_err();
        assert_eq!(wrong.status, http::StatusCode::UNPROCESSABLE_ENTITY);
    }
}
