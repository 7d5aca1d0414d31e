//! Why an attempt ends before everything is published.

use reelgate_common::{db::DbError, file::Failure, promote::PromoteError, storage::StorageError};

use crate::{scratch::ScratchError, task::verdict::OUT_OF_MEMORY};

pub(crate) const DISK_FULL: &str = "disk_full";
pub(crate) const NO_ROOM: &str = "The worker has no room left for this file; it is tried again.";
/// A task could not read or write.
pub(crate) const IO_FAILED: &str = "io_failed";

#[derive(Debug)]
pub(crate) enum Halt {
    /// The task failed; counts against the file.
    Failed(Failure),
    /// The fence does not hold any more: stop and publish nothing.
    Stale,
    /// Database or store were away for too long; nothing that the file could help.
    Away(String),
}

impl Halt {
    pub(crate) fn failed(code: &str, message: impl Into<String>, retryable: bool) -> Self {
        Self::Failed(Failure { code: code.to_owned(), message: message.into(), retryable })
    }

    /// A scratch disk that is full or broken. Another worker may have a better one.
    pub(crate) fn disk(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::failed(DISK_FULL, NO_ROOM, true);
        }
        tracing::error!(%error, "the scratch folder cannot be used");
        Self::failed("scratch_failed", "The worker could not use its scratch folder; it is tried again.", true)
    }
}

impl From<DbError> for Halt {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Away(_) => Self::Away(error.to_string()),
            DbError::Refused { .. } | DbError::Garbled(_) => {
                tracing::error!(%error, "the database refused a result");
                Self::failed("internal_error", "The result could not be recorded; it is tried again.", true)
            }
        }
    }
}

impl From<StorageError> for Halt {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound { .. } => {
                Self::failed("source_missing", "The uploaded file is not in the store; upload it again.", true)
            }
            StorageError::Changed { .. } => source_changed(),
            other => Self::Away(other.to_string()),
        }
    }
}

impl From<PromoteError> for Halt {
    fn from(error: PromoteError) -> Self {
        match error {
            PromoteError::Db(error) => error.into(),
            PromoteError::Storage(error) => error.into(),
            PromoteError::Size { .. } => source_changed(),
        }
    }
}

impl From<ScratchError> for Halt {
    fn from(error: ScratchError) -> Self {
        Self::disk(&error.source)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Whether it says nothing of the file, but that the worker lacks something just now: room, memory, a disk that works.
pub(crate) fn is_lack(failure: &Failure) -> bool {
    failure.retryable && [DISK_FULL, IO_FAILED, OUT_OF_MEMORY].contains(&failure.code.as_str())
}

/// The object is not the one that was uploaded; never processed silently.
pub(crate) fn source_changed() -> Halt {
    Halt::failed("source_changed", "The stored file is not the one that was uploaded; upload it again.", false)
}
