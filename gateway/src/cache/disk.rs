//! The disk tier: parts of blocks as files below one folder, within a limit. Everything about it may fail: then a block is a miss,
//! or is not kept, and the store is asked as if there were no disk.
//!
//! What is written is neither synced nor trusted: each piece is checked against its sum when it is read. The index lives
//! in memory and is made again from the names at start.

mod block;
mod index;

use std::{
    fs::{self, File, TryLockError},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use reelgate_common::ids::FileId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use self::{
    block::Stored,
    index::{BlockKey, Index},
};
use super::{
    object::Object,
    pool::{PIECE, Pool},
};

/// Blocks gathered for writing at a time: each is held in memory until it is written. What comes meanwhile is not kept.
const WRITERS: usize = 16;
/// After a failure to write, the disk is left alone for this long: most likely it is full.
const REST: Duration = Duration::from_secs(30);
/// Whoever holds this uses the folder.
const LOCK: &str = "lock";

#[derive(Clone)]
pub(super) struct Disk {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    block_bytes: u64,
    index: Mutex<Index>,
    writers: Arc<Semaphore>,
    resting: Mutex<Option<Instant>>,
    pool: Pool,
    _lock: File,
}

/// Leave to gather one block and to write it.
pub(super) struct Leave {
    _permit: OwnedSemaphorePermit,
}

impl Disk {
    /// Takes the folder for this process and finds what it holds. Blocks the thread.
    ///
    /// # Errors
    /// The folder cannot be made, read or written, or another process uses it.
    pub(super) fn open(folder: &Path, limit: u64, block_bytes: u64, pool: Pool) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(io::ErrorKind::ResourceBusy, "another gateway uses it"),
            TryLockError::Error(error) => error,
        })?;
        let mut index = Index::new(limit);
        for stored in block::find(folder)? {
            remove(folder, &index.insert(stored));
        }
        let shared = Shared {
            folder: folder.to_owned(),
            block_bytes,
            index: Mutex::new(index),
            writers: Arc::new(Semaphore::new(WRITERS)),
            resting: Mutex::default(),
            pool,
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether the byte at `at` is on disk.
    pub(super) fn covers(&self, object: &Object, at: u64) -> bool {
        let key = self.key(object, at);
        self.shared.index().get(&key).is_some_and(|stored| self.span(&stored).contains(&at))
    }

    /// The pieces of `range`, which starts at a piece, as far as the block of its first byte has them. None when it has
    /// not, or when what it has is not what was written.
    pub(super) async fn read(&self, object: &Object, range: Range<u64>) -> Option<Vec<Bytes>> {
        let key = self.key(object, range.start);
        let stored = self.shared.index().touch(&key)?;
        let span = self.span(&stored);
        if !span.contains(&range.start) {
            return None;
        }
        let wanted = range.start..range.end.min(span.end);
        let disk = self.clone();
        let read = spawn_blocking(move || {
            let shared = &disk.shared;
            let read = block::read(&shared.folder, &stored, span.start, wanted, &shared.pool);
            if let Err(error) = &read {
                tracing::warn!(%error, "a block on disk is not what was written; it is removed");
                shared.drop_block(&stored);
            }
            read.ok()
        });
        read.await.ok().flatten()
    }

    /// Leave to gather a block, unless too many are being written or the disk rests.
    pub(super) fn leave(&self) -> Option<Leave> {
        let mut resting = self.shared.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.is_some_and(|since| since.elapsed() < REST) {
            return None;
        }
        *resting = None;
        let permit = Arc::clone(&self.shared.writers).try_acquire_owned().ok()?;
        Some(Leave { _permit: permit })
    }

    /// Keeps consecutive pieces of one block, of which the first begins at `start`, unless more of it is kept already.
    pub(super) fn keep(&self, leave: Leave, object: &Object, start: u64, pieces: Vec<Bytes>) {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let within = start % self.shared.block_bytes;
        let stored = Stored {
            key: self.key(object, start),
            file: object.name().file(),
            first: within / PIECE as u64,
            end: within + length,
        };
        if length == 0 || self.shared.index().get(&stored.key).is_some_and(|kept| kept.length() >= length) {
            return;
        }
        let disk = self.clone();
        spawn_blocking(move || {
            disk.shared.write(stored, start, &pieces);
            drop(disk);
            drop(leave);
        });
    }

    /// Blocks the thread.
    pub(super) fn forget(&self, file: FileId) {
        let gone = self.shared.index().forget(file);
        remove(&self.shared.folder, &gone);
    }

    pub(super) fn files(&self) -> Vec<FileId> {
        self.shared.index().files()
    }

    /// Bytes kept.
    pub(super) fn weight(&self) -> u64 {
        self.shared.index().weight()
    }

    pub(super) fn block_bytes(&self) -> u64 {
        self.shared.block_bytes
    }

    fn key(&self, object: &Object, at: u64) -> BlockKey {
        BlockKey { object: object.fingerprint(), block: at / self.shared.block_bytes }
    }

    /// Where in its object a part of a block lies.
    fn span(&self, stored: &Stored) -> Range<u64> {
        let block = stored.key.block * self.shared.block_bytes;
        block + stored.first * PIECE as u64..block + stored.end
    }
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, stored: Stored, start: u64, pieces: &[Bytes]) {
        match block::write(&self.folder, &stored, start, pieces) {
            Ok(()) => {
                let gone = self.index().insert(stored);
                remove(&self.folder, &gone);
            }
            Err(error) => {
                tracing::warn!(%error, "a block cannot be kept on disk; it is left alone for a while");
                *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        }
    }

    fn drop_block(&self, stored: &Stored) {
        self.index().remove(stored);
        remove(&self.folder, std::slice::from_ref(stored));
    }
}

/// What cannot be removed is found again at the next start.
fn remove(folder: &Path, gone: &[Stored]) {
    for stored in gone {
        if let Err(error) = block::remove(folder, stored) {
            tracing::debug!(%error, "a block is not removed");
        }
    }
}

#[cfg(test)]
mod tests;
