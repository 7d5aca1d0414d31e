//! Removing what a deleted file has left: objects, parts, rows. One function for the request that deletes and for the
//! reconciler that repeats it until nothing is left.

use futures_util::TryStreamExt;
use reelgate_common::{
    db::{Db, DbError, Tombstone},
    ids::{FileId, OrgId},
    key::Key,
    storage::{Storage, StorageError},
};

const PARALLEL_DELETES: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Deletes all objects and, unless a worker or an upload may still be writing, the rows. Repeating it is harmless.
///
/// # Errors
/// The store or the database is away; some objects may be gone already.
pub async fn purge(db: &Db, storage: &dyn Storage, tombstone: &Tombstone) -> Result<(), PurgeError> {
    purge_objects(storage, &tombstone.org_id, tombstone.file_id, &tombstone.staging_key).await?;
    if !tombstone.running {
        db.purge_file(tombstone.file_id).await?;
    }
    Ok(())
}

async fn purge_objects(storage: &dyn Storage, org: &OrgId, file: FileId, staging: &Key) -> Result<(), StorageError> {
    for pending in storage.list_multipart(&staging.to_string()).await? {
        if pending.key == *staging {
            storage.abort_multipart(&pending.key, &pending.upload).await?;
        }
    }
    storage.delete(staging).await?;
    let objects = storage.list(&Key::file_prefix(org, file));
    objects.try_for_each_concurrent(PARALLEL_DELETES, |object| async move { storage.delete(&object.key).await }).await
}
