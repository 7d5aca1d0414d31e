//! Unfinished transfers: what the sweeper needs to leave nothing behind.

use std::time::Duration;

use super::{Db, DbError, PendingUpload};
use crate::{ids::FileId, storage::MultipartId};

impl Db {
    /// Remembers the store's id of the multipart upload, before its first part.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_multipart(&self, _file: FileId, _multipart: &MultipartId) -> Result<(), DbError> {
        todo!()
    }

    /// Says that these uploads are alive (one statement for all uploads of a gateway).
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_uploads(&self, _files: &[FileId]) -> Result<(), DbError> {
        todo!()
    }

    /// Uploads that nobody has touched for `silent`, by the database's clock.
    ///
    /// # Errors
    /// The database is away.
    pub async fn silent_uploads(&self, _silent: Duration, _limit: u64) -> Result<Vec<PendingUpload>, DbError> {
        todo!()
    }
}
