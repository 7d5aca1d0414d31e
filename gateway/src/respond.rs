//! Small responses: JSON and nothing. Streams make their own.

use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

use crate::body::{self, Body};

pub type Response = http::Response<Body>;

/// A JSON answer that nobody may keep: all of them depend on who asks.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(value).expect("our own types always serialise");
    let mut response = http::Response::new(body::full(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, value)
}

/// An answer without a body.
#[must_use]
pub fn bare(status: StatusCode) -> Response {
    let mut response = http::Response::new(body::empty());
    *response.status_mut() = status;
    response
}
