//! The block cache between the store and the clients.
//!
//! A `Cursor` reads one object for one response. What it needs lies in `memory` as pieces of at most 32 KiB, each an
//! allocation of its own, so that a slice which a slow client holds pins only its piece. What is missing is fetched in
//! runs: one request of the store from the missing piece to the end of a block, or further with read-ahead. A run is a
//! *flight*, in a task of its own (`fetch`); whoever needs one of its pieces boards it (`flights`), so that every piece is
//! read once however many ask, and a client that leaves takes nothing from the others. A flight nobody is aboard of ends with its block.
//!
//! With a folder for it, blocks are kept on `disk` too, and looked for there before the store is asked.
//!
//! Knows objects by what they are, never by where they lie: an `Origin` opens them.

pub mod config;
mod cursor;
mod disk;
mod error;
mod fetch;
mod figures;
mod flights;
mod gather;
mod keep;
mod memory;
mod object;
mod origin;
mod pool;
mod read_ahead;
mod run;
mod sequels;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use reelgate_common::ids::FileId;
use tokio::{sync::Semaphore, task::spawn_blocking};

use self::{
    config::CacheConfig, disk::Disk, figures::Figures, flights::Flights, memory::Memory, pool::Pool, sequels::Sequels,
};
pub(crate) use self::{
    cursor::Cursor,
    error::ReadError,
    object::{Object, ObjectName},
    origin::{Origin, Tier},
};
use crate::body::Allowance;

/// Long frames may hold so much of the memory, as a divisor.
const LONG_FRAMES: usize = 8;

/// One per gateway, shared by all responses. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cache {
    shared: Arc<Shared>,
}

struct Shared {
    config: CacheConfig,
    pool: Pool,
    memory: Memory,
    disk: Option<Disk>,
    flights: Flights,
    sequels: Sequels,
    /// Bounds the requests under way at the store, and with them the memory of their chunks.
    permits: Semaphore,
    /// What clients may be handed at once in long frames, all together.
    long_frames: Allowance,
    unpinned_frames: Allowance,
    /// Responses for which something was fetched: what the memory is shared by.
    readers: AtomicUsize,
    figures: Figures,
}

impl Cache {
    /// # Errors
    /// The folder of the disk tier cannot be used.
    pub(crate) async fn open(config: &CacheConfig) -> Result<Self, String> {
        let pool = Pool::default();
        let disk = match config.disk_dir.clone() {
            Some(folder) => Some(open_disk(folder, config, pool.clone()).await?),
            None => None,
        };
        let shared = Shared {
            memory: Memory::new(config.memory_bytes, pool.clone()),
            pool,
            disk,
            flights: Flights::new(config.block_bytes),
            sequels: Sequels::default(),
            permits: Semaphore::new(config.max_fetches),
            long_frames: Allowance::of(config.memory_bytes / LONG_FRAMES),
            unpinned_frames: Allowance::of(usize::MAX),
            readers: AtomicUsize::new(0),
            figures: Figures::new(),
            config: config.clone(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(crate) fn long_frames(&self) -> &Allowance {
        &self.shared.long_frames
    }

    /// Of what no memory is held.
    pub(crate) fn unpinned_frames(&self) -> &Allowance {
        &self.shared.unpinned_frames
    }

    /// Drops what is cached of a deleted file, on disk a moment later. Responses under way are cut by who sends them.
    pub(crate) fn forget(&self, file: FileId) {
        self.shared.memory.forget(file);
        if let Some(disk) = self.shared.disk.clone() {
            spawn_blocking(move || disk.forget(file));
        }
    }

    /// Of which files something is cached.
    pub(crate) fn files(&self) -> Vec<FileId> {
        let mut files = self.shared.memory.files();
        files.extend(self.shared.disk.iter().flat_map(Disk::files));
        files.into_iter().collect()
    }

    /// Sets the gauges; called before they are read.
    pub(crate) fn measure(&self) {
        let (held, cached) = (self.shared.pool.held(), self.shared.memory.weight());
        let on_disk = self.shared.disk.as_ref().map_or(0, Disk::weight);
        self.shared.figures.measure(held, cached, on_disk);
    }
}

impl Shared {
    fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }
}

async fn open_disk(folder: PathBuf, config: &CacheConfig, pool: Pool) -> Result<Disk, String> {
    let (limit, block) = (config.disk_bytes, config.block_bytes);
    let refused = |error: &dyn std::fmt::Display| format!("cache.disk_dir {}: {error}", folder.display());
    let opened = spawn_blocking({
        let folder = folder.clone();
        move || Disk::open(&folder, limit, block, pool)
    });
    opened.await.map_err(|error| refused(&error))?.map_err(|error| refused(&error))
}
