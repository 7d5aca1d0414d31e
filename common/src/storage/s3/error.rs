//! From HTTP's words to ours. `object_store` hides the status of most failures, so the connector marks those that mean
//! something of their own, and they are found in the chain of causes.

use std::{error::Error, fmt};

use object_store::client::{HttpError, HttpErrorKind};

use crate::storage::StorageError;

/// What the connector found out, as the cause of an `HttpError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mark {
    /// No head, or no byte of a body, in time.
    #[error("the store is silent")]
    Silent,
    /// 5xx, 429 or 408: the same request may succeed later.
    #[error("the store answers {0}")]
    Unavailable(u16),
    /// 507.
    #[error("the store is full")]
    Full,
}

impl Mark {
    /// Kind `Unknown`, so that `object_store` does not repeat the request by itself.
    pub(super) fn error(self) -> HttpError {
        HttpError::new(HttpErrorKind::Unknown, self)
    }
}

pub(super) fn failed(key: &impl fmt::Display, source: impl Into<Box<dyn Error + Send + Sync>>) -> StorageError {
    StorageError::Failed { key: key.to_string(), source: source.into() }
}

pub(super) fn from_store(key: &impl fmt::Display, error: object_store::Error) -> StorageError {
    let name = key.to_string();
    match mark(&error) {
        Some(Mark::Silent) => return StorageError::Timeout { key: name },
        Some(Mark::Full) => return StorageError::Full { key: name },
        Some(Mark::Unavailable(_)) | None => {}
    }
    match error {
        object_store::Error::NotFound { .. } => StorageError::NotFound { key: name },
        object_store::Error::Precondition { .. } => StorageError::Changed { key: name },
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            StorageError::Denied { key: name }
        }
        error => failed(key, error),
    }
}

/// Whether asking once more may help: the connection broke or could not be made, or the store is overloaded.
pub(super) fn is_passing(error: &object_store::Error) -> bool {
    let broken = |kind| matches!(kind, HttpErrorKind::Connect | HttpErrorKind::Request | HttpErrorKind::Interrupted);
    matches!(mark(error), Some(Mark::Unavailable(_))) || http(error).is_some_and(|error| broken(error.kind()))
}

/// Whether a write may have happened although it was answered with an error: no answer came, or the store does not
/// know the upload (any more). An answer that says no, also one under a 200, is a no.
pub(super) fn reply_was_lost(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) || http(error).is_some()
}

fn mark(error: &object_store::Error) -> Option<Mark> {
    causes(error).find_map(|cause| cause.downcast_ref::<Mark>()).copied()
}

fn http(error: &object_store::Error) -> Option<&HttpError> {
    causes(error).find_map(|cause| cause.downcast_ref::<HttpError>())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
