//! Reading ahead of a response, for the next one: a reader who asks for one short range after the other should find each of
//! them begun. At most one block goes ahead, and only while there is memory and room at the store for it: what a reader
//! who turns elsewhere leaves unread is the rest of a block and this one.

use std::{ops::Range, sync::Arc};

use super::Cursor;
use crate::cache::{fetch, flights::Passage, origin::Origin, pool::PIECE};

impl Cursor {
    /// Whether the response, of which nothing was fetched yet, goes on where somebody has read just now, and is short.
    pub(super) fn follows(&self, at: u64) -> bool {
        let short = self.end.saturating_sub(at) <= self.cache.config.block_bytes;
        let before = at.checked_sub(PIECE as u64);
        self.begun.is_none() && short && before.is_some_and(|before| self.cache.memory.contains(&self.key(before)))
    }

    /// Has the block behind the response fetched.
    pub(super) fn fetch_sequel(&mut self, origin: impl Fn() -> Arc<dyn Origin>) {
        self.fetch_block(self.end.next_multiple_of(self.cache.config.block_bytes), origin);
    }

    /// Comes to `at`: if its block was fetched for a reader like this one, says which one to fetch next.
    pub(super) fn come_to(&mut self, at: u64) -> Option<u64> {
        let length = self.cache.config.block_bytes;
        let block = at / length;
        if self.block.replace(block) == Some(block) || !self.cache.sequels.reached(&self.object, block) {
            return None;
        }
        let next = (block + 1) * length;
        // As if this response had fetched it: else a scan would look popular.
        self.ahead.fetching(at..next);
        Some(next)
    }

    /// Unless its beginning is there or on its way.
    pub(super) fn fetch_block(&mut self, from: u64, origin: impl Fn() -> Arc<dyn Origin>) {
        let block = self.cache.config.block_bytes;
        let run = from..self.up_to_cached(from..self.limit.min(from + block));
        let key = self.key(from);
        let landed = || self.cache.memory.contains(&key);
        if run.is_empty() || landed() || !self.has_room() || self.on_disk(from) {
            return;
        }
        if let Passage::Launch { ticket, pilot, range, .. } = self.cache.flights.board(&self.object, from, run, landed)
        {
            self.cache.sequels.mark(&self.object, from / block);
            fetch::spawn_for_later(Arc::clone(&self.cache), pilot, origin(), range, ticket);
        }
    }

    /// Nobody who waits should wait for this.
    fn has_room(&self) -> bool {
        let bounds = self.bounds();
        bounds.share >= bounds.block && self.cache.permits.available_permits() > self.cache.config.max_fetches / 2
    }

    /// Where the run ends: at the next piece after its first that is cached.
    pub(super) fn up_to_cached(&self, run: Range<u64>) -> u64 {
        let on_disk = self.on_disk(run.start);
        let mut pieces = run.start / PIECE as u64 + 1..run.end.div_ceil(PIECE as u64);
        let is_cached = |index: &u64| {
            let at = index * PIECE as u64;
            self.cache.memory.contains(&self.key(at)) || self.on_disk(at) != on_disk
        };
        pieces.find(is_cached).map_or(run.end, |index| index * PIECE as u64)
    }
}
