//! The source in the store, pinned to one version: whoever reads it again reads the same bytes or hears `source_changed`.

use std::{fs::File, ops::Range};

use futures_util::TryStreamExt;
use reelgate_common::{
    crash,
    key::Key,
    storage::{StorageError, Version},
};
use tokio::{
    io::{AsyncSeekExt, AsyncWriteExt},
    sync::OnceCell,
};

use super::{Work, untouched::is_untouched};
use crate::halt::{Halt, source_changed};

#[derive(Debug)]
pub(super) struct Source {
    key: Key,
    size: u64,
    version: Version,
    /// Set when the whole lies in scratch.
    fetched: OnceCell<()>,
}

impl Source {
    /// # Errors
    /// It is not there, or not what was uploaded.
    pub(super) async fn pin(work: &Work, key: &Key) -> Result<Self, Halt> {
        let storage = &work.backends.storage;
        let meta = match work.patience.keep_trying("looking at the source", || storage.head(key)).await {
            Err(StorageError::NotFound { .. }) => Self::moved(work).await?,
            other => other?,
        };
        if meta.size != work.attempt.file.size_bytes || !is_untouched(work, &meta).await? {
            return Err(source_changed());
        }
        Ok(Self { key: meta.key, size: meta.size, version: meta.version, fetched: OnceCell::new() })
    }

    /// An object of ours with the same film in it, as an attempt has stored it.
    ///
    /// # Errors
    /// It is not there, or not as it was stored.
    pub(super) async fn output(work: &Work, key: &Key, size: Option<u64>) -> Result<Self, Halt> {
        let meta = work.patience.keep_trying("looking at a film", || work.backends.storage.head(key)).await?;
        if size.is_some_and(|size| size != meta.size) {
            return Err(source_changed());
        }
        Ok(Self { key: meta.key, size: meta.size, version: meta.version, fetched: OnceCell::new() })
    }

    /// The row that this attempt was given may be older than a promotion: look once more where the source lies.
    async fn moved(work: &Work) -> Result<reelgate_common::storage::ObjectMeta, Halt> {
        let (db, file) = (&work.backends.db, &work.attempt.file);
        let found = work.patience.keep_trying("looking for the source", || db.find_file(&file.org_id, file.id)).await?;
        let Some(found) = found else { return Err(Halt::Stale) };
        let key = &found.file.source_key;
        Ok(work.patience.keep_trying("looking at the source", || work.backends.storage.head(key)).await?)
    }

    /// Whether it is this version of this object.
    pub(super) fn is(&self, key: &Key, version: &Version) -> bool {
        self.key == *key && self.version == *version
    }

    pub(super) fn pinned(&self) -> (Key, Version) {
        (self.key.clone(), self.version.clone())
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// A few bytes.
    ///
    /// # Errors
    /// The source has changed or the store stays away.
    pub(super) async fn read(&self, work: &Work, range: Range<u64>) -> Result<Vec<u8>, Halt> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let storage = &work.backends.storage;
        let bytes = work.patience.keep_trying("reading the source", || async {
            let mut chunks = storage.get(&self.key, range.clone(), Some(&self.version)).await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.try_next().await? {
                bytes.extend_from_slice(&chunk);
            }
            Ok::<_, StorageError>(bytes)
        });
        let bytes = bytes.await?;
        // A store that gives less than it promised has another object than the one we looked at.
        if bytes.len() as u64 == range.end - range.start { Ok(bytes) } else { Err(source_changed()) }
    }

    /// Copies a range to the same place of a local file, going on where a broken read has ended.
    ///
    /// # Errors
    /// The source has changed, the store stays away, or the disk is full.
    pub(super) async fn copy(&self, work: &Work, range: Range<u64>, to: &File) -> Result<(), Halt> {
        let mut file = tokio::fs::File::from_std(to.try_clone().map_err(|error| Halt::disk(&error))?);
        let mut at = range.start;
        while at < range.end {
            let storage = &work.backends.storage;
            let rest = at..range.end;
            let opened = work
                .patience
                .keep_trying("reading the source", || storage.get(&self.key, rest.clone(), Some(&self.version)));
            let mut chunks = opened.await?;
            let before = at;
            file.seek(std::io::SeekFrom::Start(at)).await.map_err(|error| Halt::disk(&error))?;
            let broken = loop {
                match chunks.try_next().await {
                    Ok(Some(chunk)) => {
                        file.write_all(&chunk).await.map_err(|error| Halt::disk(&error))?;
                        at += chunk.len() as u64;
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            match broken {
                // A read that got on is begun again where it ended.
                Some(error) if at == before => return Err(error.into()),
                Some(error) => tracing::warn!(%error, at, "a read of the source broke and goes on"),
                None if at < range.end => return Err(source_changed()),
                None => {}
            }
        }
        file.flush().await.map_err(|error| Halt::disk(&error))
    }

    /// The whole source as a file to read: the object itself where the store keeps plain files, else a copy in scratch.
    ///
    /// # Errors
    /// As `copy`.
    pub(super) async fn whole(&self, work: &Work) -> Result<File, Halt> {
        if let Some(file) = self.local(work).await? {
            return Ok(file);
        }
        let fetch = || async {
            let file = work.scratch_file("source")?;
            self.copy(work, 0..self.size, &file).await
        };
        self.fetched.get_or_try_init(fetch).await?;
        crash::point("downloaded");
        // Opened anew: each task reads at a place of its own.
        File::open(work.scratch.path().join("source")).map_err(|error| Halt::disk(&error))
    }

    /// The object's own file, if the store has one. It is never written in place, so the open descriptor is the pin.
    pub(super) async fn local(&self, work: &Work) -> Result<Option<File>, Halt> {
        let storage = &work.backends.storage;
        let Some(file) = storage.local_path(&self.key).and_then(|path| File::open(path).ok()) else { return Ok(None) };
        // Looked at after opening: were the object another one by now, the versions would differ.
        let meta = work.patience.keep_trying("looking at the source", || storage.head(&self.key)).await?;
        if meta.version == self.version { Ok(Some(file)) } else { Err(source_changed()) }
    }
}

impl Work {
    /// A new file in the attempt's folder, outside the folders that its children may write.
    pub(super) fn scratch_file(&self, name: &str) -> Result<File, Halt> {
        let path = self.scratch.path().join(name);
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|error| Halt::disk(&error))
    }
}
