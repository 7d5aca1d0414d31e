//! The name of a request, in its answer and in its log: a new one, or the proxy's. Copied where it is needed, for a reference to
//! it would have to be counted.

use std::cell::OnceCell;

use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;
use uuid::{ContextV7, Timestamp, Uuid};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

thread_local! {
    /// Of each thread's own: the common one is behind a lock.
    static ORDER: OnceCell<ContextV7> = const { OnceCell::new() };
}

/// Letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(SmallVec<[u8; 36]>);

impl RequestId {
    /// A new id, or the proxy's if it is trusted and its id is harmless.
    pub(crate) fn of(headers: &HeaderMap, trusted: bool) -> Self {
        let given = if trusted { headers.get(X_REQUEST_ID) } else { None };
        given.map(HeaderValue::as_bytes).filter(|id| is_harmless(id)).map_or_else(Self::new, |id| Self(id.into()))
    }

    fn new() -> Self {
        let id = ORDER.with(|order| Uuid::new_v7(Timestamp::now(order.get_or_init(ContextV7::new))));
        let mut text = Uuid::encode_buffer();
        Self(SmallVec::from_slice(id.hyphenated().encode_lower(&mut text).as_bytes()))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("letters, digits and hyphens are a header value")
    }
}

fn is_harmless(id: &[u8]) -> bool {
    (1..=64).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &'static str, trusted: bool) -> RequestId {
        RequestId::of(&HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(id))]), trusted)
    }

    #[test]
    fn only_a_trusted_proxy_names_requests_and_only_harmlessly() {
        assert_eq!(named("abc-1", true).as_str(), "abc-1");
        assert_ne!(named("abc-1", false).as_str(), "abc-1");
        assert_ne!(named("a b", true).as_str(), "a b");
        let long = "a".repeat(65);
        assert_ne!(named(Box::leak(long.clone().into_boxed_str()), true).as_str(), long);
    }

    #[test]
    fn new_ones_are_in_order_and_no_two_are_the_same() {
        let ids: Vec<_> = (0..1_000).map(|_| RequestId::new()).collect();
        assert!(ids.is_sorted_by(|one, next| one.as_str() < next.as_str()));
        assert_eq!(ids[0].header().to_str().unwrap(), ids[0].as_str());
    }
}
