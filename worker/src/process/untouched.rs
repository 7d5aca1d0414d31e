//! Whether a source in staging is still the object that was accepted: by its version, and where that differs (a backup was
//! brought back, the store was moved) by its digest. Knows nothing of what is then done about it.

use futures_util::TryStreamExt;
use reelgate_common::{
    hex::hex,
    key::Key,
    storage::{ObjectMeta, StorageError},
};
use sha2::{Digest, Sha256};

use super::Work;
use crate::halt::Halt;

/// # Errors
/// The store stays away, or the object is changed meanwhile.
pub(super) async fn is_untouched(work: &Work, found: &ObjectMeta) -> Result<bool, Halt> {
    let file = &work.attempt.file;
    match (&found.key, &file.staged_version) {
        (Key::Staging { .. }, Some(accepted)) if *accepted != found.version && found.size > 0 => {
            Ok(digest(work, found).await? == file.sha256)
        }
        _ => Ok(true),
    }
}

async fn digest(work: &Work, found: &ObjectMeta) -> Result<String, Halt> {
    let storage = &work.backends.storage;
    let read = || async {
        let mut chunks = storage.get(&found.key, 0..found.size, Some(&found.version)).await?;
        let mut digest = Sha256::new();
        while let Some(chunk) = chunks.try_next().await? {
            digest.update(&chunk);
        }
        Ok::<_, StorageError>(digest.finalize())
    };
    let digest = work.patience.keep_trying("comparing the source", read).await?;
    Ok(hex(&digest))
}
