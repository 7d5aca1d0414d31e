//! Promotion: moves an accepted source from `staging/` to its lasting name, in steps that may each be repeated.
//!
//! The row is the only truth about where a source lies, so the order is: copy, compare sizes, point the row at the copy,
//! delete the staging object. A crash between any two steps leaves a state from which the same call goes on. Worker and
//! gateway both call it, also at the same time: a copy that is there already is never written again, so a reader that
//! pinned its version is not disturbed.

use crate::{
    crash,
    db::{Db, DbError},
    file::FileState,
    ids::{FileId, OrgId},
    key::Key,
    storage::{Storage, StorageError},
};

/// What became of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promoted {
    /// The row points at the lasting object; the staging object is gone.
    Done,
    /// It had been promoted before.
    Already,
    /// The file is deleted, unknown, or still being uploaded: nothing of it was left behind.
    NoSuchFile,
}

#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    #[error("the database failed during promotion")]
    Db(#[from] DbError),
    #[error("the store failed during promotion")]
    Storage(#[from] StorageError),
    /// The object is not the one that was uploaded; the row still names the staging object.
    #[error("object {key} has {found} bytes instead of {expected}")]
    Size { key: String, expected: u64, found: u64 },
}

/// Promotes the source of one file. Safe to repeat and to run twice at once.
///
/// # Errors
/// Database or store are away, or the object in staging is not the size that was uploaded; the row is unchanged then.
pub async fn promote(db: &Db, storage: &dyn Storage, org: &OrgId, file: FileId) -> Result<Promoted, PromoteError> {
    let Some(found) = db.find_file(org, file).await? else { return Ok(Promoted::NoSuchFile) };
    let record = found.file;
    if record.state == FileState::Uploading {
        return Ok(Promoted::NoSuchFile);
    }
    let staging = Key::Staging { org: org.clone(), file };
    let source = Key::Source { org: org.clone(), file };
    if record.source_key == source {
        // The run before may have died between the row and the delete.
        storage.delete(&staging).await?;
        return Ok(Promoted::Already);
    }
    match copy_once(storage, &record.source_key, &source, record.size_bytes).await {
        Err(error @ PromoteError::Storage(StorageError::NotFound { .. })) => {
            return overtaken(db, org, file, &source, error).await;
        }
        copied => copied?,
    }
    crash::point("copied");
    if !db.set_source_key(file, &record.source_key, &source).await? && moved_away(db, org, file, &source).await? {
        storage.delete(&source).await?;
        return Ok(Promoted::NoSuchFile);
    }
    crash::point("staging-left");
    storage.delete(&staging).await?;
    crash::point("staging-deleted");
    Ok(Promoted::Done)
}

/// Copies unless a copy of the right size is there. Stores make copies visible whole or not at all.
async fn copy_once(storage: &dyn Storage, from: &Key, to: &Key, size: u64) -> Result<(), PromoteError> {
    match storage.head(to).await {
        Ok(meta) if meta.size == size => return Ok(()),
        Ok(_) | Err(StorageError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let staged = storage.head(from).await?;
    expect_size(from, size, staged.size)?;
    let copied = storage.copy(from, to).await?;
    expect_size(to, size, copied.size)
}

fn expect_size(key: &Key, expected: u64, found: u64) -> Result<(), PromoteError> {
    if expected == found {
        return Ok(());
    }
    Err(PromoteError::Size { key: key.to_string(), expected, found })
}

/// The staging object is gone: a promotion beside this one took it after we had read the row, or it is really missing.
async fn overtaken(
    db: &Db,
    org: &OrgId,
    file: FileId,
    source: &Key,
    missing: PromoteError,
) -> Result<Promoted, PromoteError> {
    match db.find_file(org, file).await? {
        None => Ok(Promoted::NoSuchFile),
        Some(found) if found.file.source_key == *source => Ok(Promoted::Already),
        Some(_) => Err(missing),
    }
}

/// Whether the row is gone or names another object than our copy. A promotion beside this one leaves it at our copy.
async fn moved_away(db: &Db, org: &OrgId, file: FileId, copy: &Key) -> Result<bool, DbError> {
    let now = db.find_file(org, file).await?;
    Ok(now.is_none_or(|found| found.file.source_key != *copy))
}
