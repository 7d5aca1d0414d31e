//! `POST /v1/files`: multipart/form-data into the store.

pub mod config;

use std::sync::Arc;

use http::{Request, StatusCode};
use reelgate_common::auth::Caller;

use self::config::UploadConfig;
use crate::{app::App, body::RequestBody, error::ApiError, respond::Response};

/// What uploads of one gateway share.
#[derive(Debug)]
pub struct Uploads {}

impl Uploads {
    #[must_use]
    pub fn new(_config: &UploadConfig) -> Self {
        Self {}
    }
}

/// # Errors
/// When no file could be stored, the first file's error.
#[expect(clippy::unused_async, clippy::needless_pass_by_value, reason = "being built")]
pub async fn upload_files(
    _app: &Arc<App>,
    _caller: Caller,
    _request: Request<RequestBody>,
) -> Result<Response, ApiError> {
    Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", "Uploads are being built"))
}
