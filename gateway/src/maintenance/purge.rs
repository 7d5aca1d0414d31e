//! Purges deleted files: objects, unfinished parts, at last the rows. `DELETE` calls it at once; the loop repeats it until
//! nothing is left.

use futures_util::TryStreamExt;
use reelgate_common::{
    backends::Backends,
    ids::{FileId, OrgId},
    key::Key,
    storage::{Storage, StorageError},
};

use super::{DutyError, Ground};

const LIMIT: u64 = 200;
/// Old versions asked for at once.
const VERSIONS: usize = 1_000;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let mut purged = 0;
    let mut failed = None;
    for tombstone in ground.backends.db.tombstones(LIMIT).await? {
        match purge(&ground.backends, &tombstone.org_id, tombstone.file_id, tombstone.running).await {
            Ok(whole) => purged += u64::from(whole),
            // One object that cannot be deleted must not keep the others.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(purged), Err)
}

/// Purges one deleted file. True when nothing of it is left. While a worker may still be writing (`running`), the row
/// stays, so that what the worker leaves is found.
///
/// # Errors
/// Database or store are away; the loop tries again.
pub async fn purge(backends: &Backends, org: &OrgId, file: FileId, running: bool) -> Result<bool, DutyError> {
    purge_objects(&*backends.storage, org, file).await?;
    if running {
        return Ok(false);
    }
    backends.db.purge_file(file).await?;
    Ok(true)
}

async fn purge_objects(storage: &dyn Storage, org: &OrgId, file: FileId) -> Result<(), StorageError> {
    let staging = Key::Staging { org: org.clone(), file };
    for pending in storage.list_multipart(&staging.to_string()).await? {
        storage.abort_multipart(&pending.key, &pending.upload).await?;
    }
    storage.delete(&staging).await?;
    let mut tails = storage.list(&Key::tail_prefix(org, file));
    while let Some(tail) = tails.try_next().await? {
        storage.delete(&tail.key).await?;
    }
    let prefix = Key::file_prefix(org, file);
    for pending in storage.list_multipart(&prefix).await? {
        storage.abort_multipart(&pending.key, &pending.upload).await?;
    }
    let mut objects = storage.list(&prefix);
    while let Some(object) = objects.try_next().await? {
        storage.delete(&object.key).await?;
    }
    for prefix in [staging.to_string(), prefix] {
        purge_versions(storage, &prefix).await?;
    }
    Ok(())
}

/// A bucket that keeps versions has only hidden what was deleted. No grace here: who deletes a file wants it gone.
async fn purge_versions(storage: &dyn Storage, prefix: &str) -> Result<(), StorageError> {
    loop {
        let old = storage.list_old_versions(prefix, VERSIONS).await?;
        for version in &old {
            storage.delete_version(&version.key, &version.id).await?;
        }
        if old.len() < VERSIONS {
            return Ok(());
        }
    }
}
