//! What is tried again, and how long after.

use std::time::Duration;

use http::StatusCode;
use reelgate_common::http_client::HttpError;

use super::server::Refused;

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// `None` for what would fail again.
pub(super) fn pause_before_retry(error: &anyhow::Error, attempt: u32) -> Option<Duration> {
    let backoff = Duration::from_secs(1 << attempt.min(5));
    match error.downcast_ref::<Refused>() {
        Some(refused) if is_passing(refused) => {
            Some(refused.retry_after.map_or(backoff, Duration::from_secs).min(LONGEST_WAIT))
        }
        Some(_) => None,
        // No answer came, unless it was the file that could not be read.
        None => error.is::<HttpError>().then_some(backoff),
    }
}

/// A conflict passes if the server says when: what was sent before under the same key is still arriving, or has just failed.
fn is_passing(refused: &Refused) -> bool {
    match refused.status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => true,
        StatusCode::CONFLICT => refused.retry_after.is_some(),
        _ => false,
    }
}
