//! Why a file of a request, or the whole request, was not stored. The only place that maps it to status and code.

use http::StatusCode;
use reelgate_common::{db::DbError, quota::Excess, storage::StorageError};

use super::{budget::Evicted, multipart::MultipartError};
use crate::{
    body::RequestBodyError,
    error::{ApiError, Violation},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("The file is larger than {limit} bytes")]
    FileTooLarge { limit: u64 },
    #[error("The request is larger than {limit} bytes")]
    RequestTooLarge { limit: u64 },
    #[error("More than {0} files in one request")]
    TooManyFiles(usize),
    #[error("More than {0} form fields in one request")]
    TooManyFields(usize),
    #[error("More than {0} bytes of form fields in one request")]
    FieldsTooLong(usize),
    #[error("Too many uploads at once, and this one was too slow; try again later")]
    Evicted(#[from] Evicted),
    #[error("Too many uploads at once; try again later")]
    TooManyUploads,
    #[error("Too many uploads of this organisation at once; try again later")]
    TooManyOwnUploads,
    #[error("Too much work waits already; try again later")]
    QueueFull,
    #[error("The form cannot be read: {0}")]
    Malformed(#[from] MultipartError),
    #[error("{why}")]
    BadField { name: &'static str, why: &'static str },
    #[error("The upload did not arrive whole")]
    Body(#[from] RequestBodyError),
    #[error("The upload was closed or deleted before it was complete")]
    Closed,
    #[error("The same upload is still arriving, or has just failed; try again later")]
    StillArriving,
    #[error("This Idempotency-Key was used for another file")]
    KeyReused,
    #[error("The organisation may not have more {0}")]
    OverQuota(Excess),
    #[error("The bytes are not those of Repr-Digest")]
    DigestMismatch,
    #[error("Repr-Digest cannot be read: send sha-256=:BASE64:")]
    BadDigest,
    #[error("The database failed")]
    Db(#[from] DbError),
    #[error("The object store failed")]
    Storage(#[from] StorageError),
    #[error("Internal Server Error")]
    Internal,
}

impl UploadError {
    /// Whether the rest of the body can still be read.
    pub(crate) fn ends_request(&self) -> bool {
        !matches!(
            self,
            Self::FileTooLarge { .. }
                | Self::Closed
                | Self::StillArriving
                | Self::KeyReused
                | Self::OverQuota(_)
                | Self::DigestMismatch
                | Self::BadDigest
                | Self::Db(_)
                | Self::Storage(_)
                | Self::Internal
        )
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let text = error.to_string();
        let of = |status, code: &'static str| Self::new(status, code, text.clone());
        match error {
            UploadError::FileTooLarge { .. } => of(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large"),
            UploadError::RequestTooLarge { .. } => of(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large"),
            UploadError::TooManyFiles(_) => of(StatusCode::PAYLOAD_TOO_LARGE, "too_many_files"),
            UploadError::TooManyFields(_) => of(StatusCode::PAYLOAD_TOO_LARGE, "too_many_fields"),
            UploadError::FieldsTooLong(_) => of(StatusCode::PAYLOAD_TOO_LARGE, "fields_too_long"),
            UploadError::Evicted(_) => of(StatusCode::SERVICE_UNAVAILABLE, "upload_too_slow").retry_after(10),
            UploadError::TooManyUploads => of(StatusCode::SERVICE_UNAVAILABLE, "too_many_uploads").retry_after(5),
            UploadError::TooManyOwnUploads => of(StatusCode::TOO_MANY_REQUESTS, "too_many_own_uploads").retry_after(5),
            UploadError::QueueFull => of(StatusCode::SERVICE_UNAVAILABLE, "queue_full").retry_after(30),
            UploadError::Malformed(_) => of(StatusCode::BAD_REQUEST, "malformed_form"),
            UploadError::BadField { name, why } => {
                Self::invalid(vec![Violation::new(["body".into(), name.into()], why, "value_error")])
            }
            UploadError::Body(RequestBodyError::Stalled(_)) => of(StatusCode::REQUEST_TIMEOUT, "upload_stalled"),
            UploadError::Body(RequestBodyError::Cut(_)) => of(StatusCode::BAD_REQUEST, "upload_incomplete"),
            // The object is of this upload alone: whoever closed the upload took it away.
            UploadError::Closed | UploadError::Storage(StorageError::NotFound { .. }) => {
                Self::new(StatusCode::CONFLICT, "upload_closed", UploadError::Closed.to_string())
            }
            UploadError::StillArriving => of(StatusCode::CONFLICT, "upload_still_arriving").retry_after(5),
            UploadError::KeyReused => of(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            UploadError::OverQuota(Excess::Bytes) => of(StatusCode::PAYLOAD_TOO_LARGE, "quota_bytes"),
            UploadError::OverQuota(Excess::Files) => of(StatusCode::FORBIDDEN, "quota_files"),
            UploadError::OverQuota(Excess::Uploads) => {
                of(StatusCode::TOO_MANY_REQUESTS, "quota_uploads").retry_after(5)
            }
            UploadError::BadDigest => of(StatusCode::BAD_REQUEST, "invalid_digest"),
            UploadError::DigestMismatch => of(StatusCode::BAD_REQUEST, "digest_mismatch"),
            UploadError::Db(error) => error.into(),
            UploadError::Storage(error) => error.into(),
            UploadError::Internal => Self::internal(),
        }
    }
}
