//! What an attempt has put into the store and not (yet) published. Swept when the attempt ends, however it ends; what a
//! crash leaves is the reconciler's.

use std::{collections::HashMap, sync::Mutex};

use reelgate_common::{
    key::Key,
    storage::{MultipartId, Storage, StorageError},
};

#[derive(Debug, Default)]
pub(crate) struct Litter {
    pieces: Mutex<HashMap<String, Piece>>,
}

#[derive(Debug, Clone)]
struct Piece {
    key: Key,
    multipart: Option<MultipartId>,
}

impl Litter {
    /// Says that an object is about to be written.
    pub(crate) fn object(&self, key: &Key) {
        self.note(key, None);
    }

    /// Says that an object is being written in parts.
    pub(crate) fn multipart(&self, key: &Key, upload: &MultipartId) {
        self.note(key, Some(upload.clone()));
    }

    /// Says that the object is about to be published: from here on only the database knows whether it is needed, and when
    /// its answer is lost the object must stay.
    pub(crate) fn keep(&self, key: &Key) {
        self.lock().remove(&key.to_string());
    }

    /// Removes everything that was noted and not kept, as well as it can.
    pub(crate) async fn sweep(&self, storage: &dyn Storage) {
        let pieces: Vec<Piece> = self.lock().drain().map(|(_, piece)| piece).collect();
        for piece in pieces {
            if let Err(error) = piece.remove(storage).await {
                tracing::warn!(key = %piece.key, %error, "an unpublished object is left to the reconciler");
            }
        }
    }

    fn note(&self, key: &Key, multipart: Option<MultipartId>) {
        self.lock().insert(key.to_string(), Piece { key: key.clone(), multipart });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Piece>> {
        self.pieces.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Piece {
    async fn remove(&self, storage: &dyn Storage) -> Result<(), StorageError> {
        if let Some(upload) = &self.multipart {
            storage.abort_multipart(&self.key, upload).await?;
        }
        // Also after a multipart upload: its completion may have won.
        storage.delete(&self.key).await
    }
}
