//! The cache's figures for operators. Handles are kept: finding a counter by its name costs more than counting.

use metrics::{Counter, Gauge};
use reelgate_common::metric::{
    CACHE_DISK_BYTES, CACHE_DISK_READ_BYTES, CACHE_HITS, CACHE_MEMORY_BYTES, CACHE_MISSES, CACHE_PINNED_BYTES,
    CACHE_STORAGE_BYTES, CACHE_STORAGE_REQUESTS,
};

use crate::tally::spread;

pub(super) struct Figures {
    /// Pieces found in memory, and pieces that had to be waited for.
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    /// Requests made to the store, and the bytes they brought.
    pub(super) requests: Counter,
    pub(super) fetched: Counter,
    /// Bytes read from the disk tier.
    pub(super) read_from_disk: Counter,
    cached: Gauge,
    pinned: Gauge,
    on_disk: Gauge,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            hits: spread(CACHE_HITS.counter()),
            misses: CACHE_MISSES.counter(),
            requests: CACHE_STORAGE_REQUESTS.counter(),
            fetched: CACHE_STORAGE_BYTES.counter(),
            read_from_disk: spread(CACHE_DISK_READ_BYTES.counter()),
            cached: CACHE_MEMORY_BYTES.gauge(),
            pinned: CACHE_PINNED_BYTES.gauge(),
            on_disk: CACHE_DISK_BYTES.gauge(),
        }
    }

    /// `held` is all memory of pieces; what of it is not cached, clients and fetches pin.
    pub(super) fn measure(&self, held: usize, cached: u64, on_disk: u64) {
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        let [cached, pinned, on_disk] =
            [cached, (held as u64).saturating_sub(cached), on_disk].map(|bytes| bytes as f64);
        self.cached.set(cached);
        self.pinned.set(pinned);
        self.on_disk.set(on_disk);
    }
}
