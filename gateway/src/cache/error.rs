//! Why an object's bytes do not come. Shared by all who wait for the same fetch, hence kept in an `Arc` by them.

use reelgate_common::{db::DbError, storage::StorageError};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("the file was deleted")]
    Deleted,
    /// The file is there, and nothing of it is made of this object any more.
    #[error("what was read was taken back")]
    Withdrawn,
    /// Never padded, never more than promised: the connection is cut instead.
    #[error("an object gave another number of bytes than its layout says")]
    WrongLength,
    /// The task that fetched ended early: the process stops, or it panicked.
    #[error("the fetch was interrupted")]
    Interrupted,
}
