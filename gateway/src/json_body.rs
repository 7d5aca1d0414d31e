//! Small JSON bodies, read whole under a limit, with FastAPI's words for what is wrong with them.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::{
    body::{RequestBody, RequestBodyError},
    error::{ApiError, Violation},
};

const MAX_JSON: usize = 64 * 1024;

/// The body's JSON object; `None` when there is no body.
///
/// # Errors
/// 413, 422, 408 or 400, by what went wrong.
pub(crate) async fn object(body: RequestBody) -> Result<Option<Map<String, Value>>, ApiError> {
    let bytes = whole(body, MAX_JSON, too_large).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(Some(object)),
        Ok(_) => Err(invalid("Input should be a valid dictionary", "dict_type")),
        Err(error) => Err(invalid(format!("JSON decode error: {error}"), "json_invalid")),
    }
}

/// A member that says something: `null` is as good as none.
pub(crate) fn present<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>, kind: &'static str) -> ApiError {
    ApiError::invalid(vec![Violation::new(["body".into()], message, kind)])
}

fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body exceeds 64 KiB")
}

fn too_slow() -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time")
}

/// A body of at most so many bytes. It has no more time for all of them than a large one has between two: a byte now and then would
/// keep it open for days.
///
/// # Errors
/// `too_large`, 408 or 400.
pub(crate) async fn whole(body: RequestBody, most: usize, too_large: fn() -> ApiError) -> Result<Bytes, ApiError> {
    let limit = body.idle();
    let error = match timeout(limit, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => return Ok(collected.to_bytes()),
        Ok(Err(error)) => error,
        Err(_) => return Err(too_slow()),
    };
    if error.is::<LengthLimitError>() {
        return Err(too_large());
    }
    Err(match error.downcast_ref::<RequestBodyError>() {
        Some(RequestBodyError::Stalled(_)) => too_slow(),
        _ => ApiError::new(StatusCode::BAD_REQUEST, "body_cut", "The body ended early"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(text: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        object(RequestBody::of(vec![Bytes::copy_from_slice(text.as_bytes())])).await
    }

    #[tokio::test]
    async fn an_object_or_nothing_is_taken() {
        assert_eq!(of("").await, Ok(None));
        assert_eq!(of("{\"a\":1}").await.unwrap().unwrap()["a"], 1);
        for wrong in ["[]", "{", "1", "null"] {
            assert_eq!(of(wrong).await.unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_has_no_more_time_than_one_that_pauses() {
        let begun = tokio::time::Instant::now();
        let byte = Bytes::from_static(b" ");
        let body = RequestBody::dripping(vec![byte; 1_000], std::time::Duration::from_secs(59));
        let refused = object(body).await.unwrap_err();
        assert_eq!((refused.status, &*refused.code), (StatusCode::REQUEST_TIMEOUT, "body_timeout"));
        assert_eq!(begun.elapsed().as_secs(), 60);
    }

    #[tokio::test]
    async fn a_big_body_is_refused() {
        assert_eq!(of(&" ".repeat(MAX_JSON + 1)).await.unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
