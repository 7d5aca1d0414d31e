//! The cache's figures for operators. Handles are kept: finding a counter by its name costs more than counting.

use metrics::{Counter, Gauge, counter, gauge};

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
            hits: spread(counter!("reelgate_cache_hits_total")),
            misses: counter!("reelgate_cache_misses_total"),
            requests: counter!("reelgate_cache_storage_requests_total"),
            fetched: counter!("reelgate_cache_storage_bytes_total"),
            read_from_disk: spread(counter!("reelgate_cache_disk_read_bytes_total")),
            cached: gauge!("reelgate_cache_memory_bytes"),
            pinned: gauge!("reelgate_cache_pinned_bytes"),
            on_disk: gauge!("reelgate_cache_disk_bytes"),
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
