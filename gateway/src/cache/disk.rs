//! The disk tier: parts of blocks as files below one folder, within a limit. Everything about it may fail: then a block is a miss,
//! or is not kept, and the store is asked as if there were no disk.
//!
//! What is written is neither synced nor trusted: each piece is checked against its sum when it is first read (`open`). The index
//! lives in memory and is made again from the names at start. Blocks that are read stay open, within a limit.

mod block;
mod index;
mod open;

use std::{
    fs::{self, File, TryLockError},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use quick_cache::sync::Cache;
use reelgate_common::ids::FileId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

pub(super) use self::open::AtHand;
use self::{
    block::{BlockKey, Stored},
    index::Index,
    open::{OpenBlock, Refused},
};
use super::{
    object::Object,
    pool::{PIECE, Pool},
};
use crate::body::FilePart;

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
    open: Cache<BlockKey, Arc<OpenBlock>>,
    /// Of all blocks that are open, also those that only clients hold any more.
    all_open: Arc<()>,
    /// The file system cannot say whether a read would wait.
    must_wait: AtomicBool,
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
            open: Cache::new(open::limit()),
            all_open: Arc::default(),
            must_wait: AtomicBool::new(false),
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

    /// The piece that begins at `start`, if its block is open and the kernel holds it: no thread is needed then.
    pub(super) fn at_hand(&self, object: &Object, start: u64) -> Option<AtHand> {
        let shared = &self.shared;
        if shared.must_wait.load(Ordering::Relaxed) {
            return None;
        }
        let open = shared.open.get(&self.key(object, start))?;
        open.touch();
        match open.at_hand(self.index_of(&open, start)?, &shared.pool) {
            Ok(piece) => piece,
            Err(Refused) => {
                shared.must_wait.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    /// What begins with the piece at `start`, as far as its block is open and was found to be what was written, unread.
    pub(super) fn in_file(&self, object: &Object, start: u64) -> Option<FilePart> {
        let shared = &self.shared;
        // Who takes a file slowly keeps it open, and there are so many descriptors.
        if shared.must_wait.load(Ordering::Relaxed)
            || Arc::strong_count(&shared.all_open) as u64 > 2 * shared.open.capacity()
        {
            return None;
        }
        let open = shared.open.get(&self.key(object, start))?;
        open.touch();
        open.in_file(self.index_of(&open, start)?)
    }

    /// Which of its pieces begins at `start`.
    fn index_of(&self, open: &OpenBlock, start: u64) -> Option<u64> {
        Some(start.checked_sub(self.span(&open.stored).start)? / PIECE as u64)
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
        let index = |at: u64| (at - span.start) / PIECE as u64;
        let wanted = index(range.start)..index(range.end.min(span.end) - 1) + 1;
        let shared = Arc::clone(&self.shared);
        let read = spawn_blocking(move || {
            let read = shared.open(&stored, span.start).and_then(|open| open.read(wanted, &shared.pool));
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
        self.shared.remove(&gone);
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
                self.remove(&gone);
                // What the kernel holds of it is what it was given.
                if let Ok(open) = self.open(&stored, start) {
                    open.believe();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a block cannot be kept on disk; it is left alone for a while");
                *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        }
    }

    /// Blocks the thread.
    fn open(&self, stored: &Stored, start: u64) -> io::Result<Arc<OpenBlock>> {
        if let Some(open) = self.open.get(&stored.key).filter(|open| open.stored == *stored) {
            return Ok(open);
        }
        let asked = self.index().asked(&stored.key).unwrap_or_default();
        let open = Arc::new(OpenBlock::open(&self.folder, (stored, asked), start, &self.all_open)?);
        self.open.insert(stored.key, Arc::clone(&open));
        // What was removed meanwhile must not keep its room through its descriptor.
        if self.index().get(&stored.key) != Some(*stored) {
            self.open.remove(&stored.key);
        }
        Ok(open)
    }

    fn drop_block(&self, stored: &Stored) {
        self.index().remove(stored);
        self.remove(std::slice::from_ref(stored));
    }

    fn remove(&self, gone: &[Stored]) {
        for stored in gone {
            self.open.remove(&stored.key);
        }
        remove(&self.folder, gone);
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
