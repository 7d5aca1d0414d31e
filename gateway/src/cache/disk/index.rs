//! Which blocks are on disk, and which one goes when room is wanted: the one that was not asked for since the hand came by
//! last (clock). Pure.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use reelgate_common::ids::FileId;

use super::block::{BlockKey, Stored};

pub(super) struct Index {
    limit: u64,
    weight: u64,
    blocks: HashMap<BlockKey, Entry>,
    /// In the order in which the hand comes by. Keys of removed blocks are skipped.
    clock: VecDeque<BlockKey>,
}

struct Entry {
    stored: Stored,
    /// Whoever has the block open says so by himself, without the index.
    asked: Arc<AtomicBool>,
}

impl Index {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, weight: 0, blocks: HashMap::new(), clock: VecDeque::new() }
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn get(&self, key: &BlockKey) -> Option<Stored> {
        self.blocks.get(key).map(|entry| entry.stored)
    }

    /// As `get`; it stays longer.
    pub(super) fn touch(&self, key: &BlockKey) -> Option<Stored> {
        let entry = self.blocks.get(key)?;
        entry.asked.store(true, Relaxed);
        Some(entry.stored)
    }

    /// What says that the block was asked for.
    pub(super) fn asked(&self, key: &BlockKey) -> Option<Arc<AtomicBool>> {
        self.blocks.get(key).map(|entry| Arc::clone(&entry.asked))
    }

    /// Adds a block; what has to go for it is returned.
    pub(super) fn insert(&mut self, stored: Stored) -> Vec<Stored> {
        let mut gone = Vec::new();
        self.weight += stored.weight();
        // Whoever has the same open goes on saying so.
        let asked = self.asked(&stored.key).unwrap_or_default();
        match self.blocks.insert(stored.key, Entry { stored, asked }) {
            Some(before) => {
                self.weight -= before.stored.weight();
                // The same name was written over.
                gone.extend((before.stored != stored).then_some(before.stored));
            }
            None => self.clock.push_back(stored.key),
        }
        while self.weight > self.limit {
            let Some(evicted) = self.evict() else { break };
            gone.push(evicted);
        }
        gone
    }

    /// Unless another part of the block has taken its place.
    pub(super) fn remove(&mut self, stored: &Stored) {
        if self.get(&stored.key) == Some(*stored) {
            self.blocks.remove(&stored.key);
            self.weight -= stored.weight();
            self.clock.retain(|key| *key != stored.key);
        }
    }

    pub(super) fn forget(&mut self, file: FileId) -> Vec<Stored> {
        let gone: Vec<Stored> =
            self.blocks.extract_if(|_, entry| entry.stored.file == file).map(|(_, entry)| entry.stored).collect();
        self.weight -= gone.iter().map(Stored::weight).sum::<u64>();
        let blocks = &self.blocks;
        self.clock.retain(|key| blocks.contains_key(key));
        gone
    }

    pub(super) fn files(&self) -> Vec<FileId> {
        let files: BTreeSet<FileId> = self.blocks.values().map(|entry| entry.stored.file).collect();
        files.into_iter().collect()
    }

    fn evict(&mut self) -> Option<Stored> {
        loop {
            let key = self.clock.pop_front()?;
            let Some(entry) = self.blocks.get_mut(&key) else { continue };
            if !entry.asked.swap(false, Relaxed) {
                let entry = self.blocks.remove(&key)?;
                self.weight -= entry.stored.weight();
                return Some(entry.stored);
            }
            self.clock.push_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(block: u64) -> Stored {
        Stored { key: BlockKey { object: 1, block }, file: FileId::new(), first: 0, end: 60_000 }
    }

    fn index(blocks: u64) -> Index {
        Index::new(blocks * stored(0).weight())
    }

    #[test]
    fn what_was_asked_for_stays() {
        let mut index = index(2);
        let (a, b, c) = (stored(1), stored(2), stored(3));
        assert_eq!((index.insert(a), index.insert(b)), (vec![], vec![]));
        index.touch(&a.key);
        assert_eq!(index.insert(c), [b]);
        assert_eq!((index.get(&a.key), index.get(&b.key), index.weight()), (Some(a), None, 2 * a.weight()));
    }

    #[test]
    fn a_larger_part_takes_the_place_of_a_smaller_one() {
        let mut index = Index::new(1 << 20);
        let small = Stored { first: 2, end: 200_000, ..stored(1) };
        let large = Stored { first: 0, ..small };
        index.insert(small);
        assert_eq!(index.insert(large), [small]);
        index.remove(&small);
        assert_eq!((index.get(&large.key), index.weight()), (Some(large), large.weight()));
    }

    #[test]
    fn a_file_is_forgotten_whole() {
        let mut index = index(9);
        let (a, b) = (stored(1), stored(2));
        index.insert(a);
        index.insert(b);
        assert_eq!(index.forget(a.file), [a]);
        assert_eq!((index.files(), index.weight(), index.clock.len()), (vec![b.file], b.weight(), 1));
    }
}
