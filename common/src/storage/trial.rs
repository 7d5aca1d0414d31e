//! What `reelgate check` asks of a store: everything that gateways and workers do with it, tried with a few bytes under the name of a file
//! that does not exist. Whatever happens, what was written is deleted again.

use std::future::Future;

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::{SharedStorage, StorageError};
use crate::{
    ids::{FileId, OrgId},
    key::Key,
    timestamp::Timestamp,
};

const ORG: &str = "reelgate-check";
const BODY: &[u8] = b"reelgate check writes this and deletes it";

/// What came of it.
#[derive(Debug, Default)]
pub struct Trial {
    /// What was tried, in order, and why it did not work where it did not.
    pub steps: Vec<(&'static str, Result<(), StorageError>)>,
    /// The store's clock when it took the object, in whole seconds for S3; and ours before and after.
    pub clock: Option<(Timestamp, Timestamp, Timestamp)>,
    /// Whether it keeps an object from being replaced when asked to. Nothing rests on it. `None` where it cannot be asked.
    pub refuses_overwrite: Option<bool>,
}

struct Keys {
    staging: Key,
    copy: Key,
    parts: Key,
    prefixes: [String; 2],
}

/// Tries everything.
pub async fn try_all(storage: &SharedStorage) -> Trial {
    let (org, file) = (OrgId::new(ORG), FileId::new());
    let keys = Keys {
        parts: Key::Output { org: org.clone(), file, generation: 1, attempt: 1, name: "check.bin".to_owned() },
        prefixes: [format!("staging/{ORG}/{file}"), Key::file_prefix(&org, file)],
        staging: Key::Staging { org: org.clone(), file },
        copy: Key::Source { org, file },
    };
    let mut trial = Trial::default();
    let before = Timestamp::now();
    trial.note("write", keys.write(storage)).await;
    if let Ok(found) = storage.head(&keys.staging).await {
        trial.clock = Some((found.modified, before, Timestamp::now()));
    }
    trial.note("read", keys.read(storage)).await;
    trial.note("list", keys.list(storage)).await;
    trial.note("copy", keys.copy(storage)).await;
    trial.note("upload in parts", keys.upload(storage)).await;
    trial.note("abort an upload in parts", keys.abort(storage)).await;
    trial.note("list uploads in parts", async { storage.list_multipart(&keys.prefixes[1]).await.map(drop) }).await;
    trial.refuses_overwrite = storage.refuses_overwrite(&keys.staging).await.unwrap_or(None);
    trial.note("delete", keys.delete(storage)).await;
    trial
}

impl Trial {
    async fn note(&mut self, what: &'static str, step: impl Future<Output = Result<(), StorageError>>) {
        self.steps.push((what, step.await));
    }

    /// The first step that did not work.
    #[must_use]
    pub fn failed(&self) -> Option<(&'static str, &StorageError)> {
        self.steps.iter().find_map(|(what, outcome)| Some((*what, outcome.as_ref().err()?)))
    }
}

impl Keys {
    async fn write(&self, storage: &SharedStorage) -> Result<(), StorageError> {
        expect(&self.staging, storage.put(&self.staging, Bytes::from_static(BODY)).await?.size == BODY.len() as u64)
    }

    async fn read(&self, storage: &SharedStorage) -> Result<(), StorageError> {
        let range = 9..BODY.len() as u64;
        let found = storage.head(&self.staging).await?;
        let chunks: Vec<Bytes> = storage.get(&self.staging, range, Some(&found.version)).await?.try_collect().await?;
        expect(&self.staging, chunks.concat() == BODY[9..])
    }

    async fn list(&self, storage: &SharedStorage) -> Result<(), StorageError> {
        let found: Vec<_> = storage.list(&self.prefixes[0]).try_collect().await?;
        expect(&self.staging, found.len() == 1 && found[0].key == self.staging)
    }

    async fn copy(&self, storage: &SharedStorage) -> Result<(), StorageError> {
        expect(&self.copy, storage.copy(&self.staging, &self.copy).await?.size == BODY.len() as u64)
    }

    async fn upload(&self, storage: &SharedStorage) -> Result<(), StorageError> {
        let upload = storage.create_multipart(&self.parts, BODY.len() as u64).await?;
        let part = storage.put_part(&self.parts, &upload, 0, vec![Bytes::from_static(BODY)]).await?;
        let made = storage.complete_multipart(&self.parts, &upload, vec![part]).await?;
        expect(&self.parts, made.size == BODY.len() as u64)
    }

    async fn abort(&self, storage: &SharedStorage) -> Result<(), StorageError> {
        let upload = storage.create_multipart(&self.copy, BODY.len() as u64).await?;
        storage.abort_multipart(&self.copy, &upload).await
    }

    async fn delete(&self, storage: &SharedStorage) -> Result<(), StorageError> {
        let mut outcome = Ok(());
        for key in [&self.staging, &self.copy, &self.parts] {
            outcome = outcome.and(storage.delete(key).await);
        }
        outcome?;
        match storage.head(&self.staging).await {
            Err(StorageError::NotFound { .. }) => Ok(()),
            found => expect(&self.staging, found.is_err()),
        }
    }
}

fn expect(key: &Key, right: bool) -> Result<(), StorageError> {
    if right {
        return Ok(());
    }
    Err(StorageError::Failed { key: key.to_string(), source: "the store shows something else than was written".into() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::storage::file::DirectoryStorage;

    #[tokio::test]
    async fn everything_is_tried_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let storage: SharedStorage = Arc::new(DirectoryStorage::open(folder.path()).unwrap());
        let trial = try_all(&storage).await;
        assert!(trial.failed().is_none() && trial.clock.is_some(), "{trial:?}");
        assert_eq!(trial.steps.len(), 8);
        assert!(storage.list("").try_collect::<Vec<_>>().await.unwrap().is_empty());
        assert!(storage.list_multipart("").await.unwrap().is_empty());
    }
}
