//! Files: from the row before the first byte to the purge of the last object.

use super::{Db, DbError, FileFilter, FileWithRenditions, NewFile, NewJob, StagedFile, Tombstone};
use crate::{
    ids::{FileId, OrgId},
    key::Key,
};

impl Db {
    /// Inserts the file (`uploading`) and its upload row in one transaction.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_file(&self, _new: &NewFile) -> Result<(), DbError> {
        todo!()
    }

    /// Ends an upload: file `staged` (or `ready`), upload row gone, job inserted, one transaction, durable.
    /// `None` when the upload was closed meanwhile (deleted, swept): the caller must drop the object.
    ///
    /// # Errors
    /// The database is away; when it is not known whether the commit happened, look with `find_file`.
    pub async fn stage_file(
        &self,
        _org: &OrgId,
        _file: FileId,
        _staged: &StagedFile,
        _job: Option<&NewJob>,
    ) -> Result<Option<FileWithRenditions>, DbError> {
        todo!()
    }

    /// Closes an upload that will not be finished: both rows gone. Only while the file is `uploading`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn abandon_upload(&self, _org: &OrgId, _file: FileId) -> Result<(), DbError> {
        todo!()
    }

    /// A file of this organisation, not deleted, with the renditions of its current generation.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_file(&self, _org: &OrgId, _file: FileId) -> Result<Option<FileWithRenditions>, DbError> {
        todo!()
    }

    /// The same by its exact location.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_location(&self, _org: &OrgId, _location: &str) -> Result<Option<FileWithRenditions>, DbError> {
        todo!()
    }

    /// A page of an organisation's files, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_files(&self, _org: &OrgId, _filter: &FileFilter) -> Result<Vec<FileWithRenditions>, DbError> {
        todo!()
    }

    /// Deletes for everybody at once: tombstone, generation + 1, jobs cancelled. False when there was no such file.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_file(&self, _org: &OrgId, _file: FileId) -> Result<bool, DbError> {
        todo!()
    }

    /// Deleted files whose rows still stand, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tombstones(&self, _limit: u64) -> Result<Vec<Tombstone>, DbError> {
        todo!()
    }

    /// Removes all rows of a deleted file, when no object of it is left.
    ///
    /// # Errors
    /// The database is away.
    pub async fn purge_file(&self, _file: FileId) -> Result<(), DbError> {
        todo!()
    }

    /// Accepted files (`ready`, `failed`, or beyond the probe) whose source still lies in staging.
    ///
    /// # Errors
    /// The database is away.
    pub async fn unpromoted(&self, _limit: u64) -> Result<Vec<(OrgId, FileId, Key)>, DbError> {
        todo!()
    }

    /// Says where the source lies now. Only from `from`, so that a repeated promotion changes nothing.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_source_key(&self, _file: FileId, _from: &Key, _to: &Key) -> Result<bool, DbError> {
        todo!()
    }

    /// Whether any row names this file (the reconciler's question about an object), deleted ones included.
    ///
    /// # Errors
    /// The database is away.
    pub async fn known_files(&self, _files: &[FileId]) -> Result<Vec<FileId>, DbError> {
        todo!()
    }
}
