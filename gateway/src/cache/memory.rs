//! Pieces in memory, within a strict limit. A scan of a huge file does not wash out what is asked for again and again:
//! a piece seen once leaves first, and reading what one has fetched oneself is not seeing it again.
//!
//! The limit covers what clients still hold of pieces that have left the cache: the more they hold, the less is cached.

use std::{
    collections::HashSet,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use quick_cache::{DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter, sync::DefaultLifecycle};
use reelgate_common::ids::FileId;

use super::{
    object::PieceKey,
    pool::{PIECE, Pool},
};

/// Pieces per shard, about: a piece is small against a shard's share.
const PIECES_PER_SHARD: usize = 64;
const MAX_SHARDS: usize = 64;
/// Share of what was asked for more than once. The rest is for what was just fetched; it must hold everybody's read-ahead.
const HOT: f64 = 0.6;
/// Memory of an entry besides its bytes.
const ENTRY: u64 = 256;

type Pieces =
    quick_cache::sync::Cache<PieceKey, Bytes, ByMemory, DefaultHashBuilder, DefaultLifecycle<PieceKey, Bytes>>;

#[derive(Debug, Clone)]
struct ByMemory;

impl Weighter<PieceKey, Bytes> for ByMemory {
    fn weight(&self, _key: &PieceKey, bytes: &Bytes) -> u64 {
        bytes.len() as u64 + ENTRY
    }
}

pub(super) struct Memory {
    pieces: Pieces,
    pool: Pool,
    limit: u64,
    /// The limit in force is `limit >> shift`. Halves and quarters only: quick_cache scales its parts by the ratio, and
    /// other ratios would wear them down by rounding.
    shift: Mutex<u32>,
}

impl Memory {
    pub(super) fn new(limit: usize, pool: Pool) -> Self {
        let pieces = limit / PIECE;
        let shards = (pieces / PIECES_PER_SHARD).next_power_of_two().min(MAX_SHARDS);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(pieces)
            .weight_capacity(limit as u64)
            .shards(shards)
            .hot_allocation(HOT)
            .build()
            .expect("capacities are given");
        let hasher = DefaultHashBuilder::default();
        let pieces = Pieces::with_options(options, ByMemory, hasher, DefaultLifecycle::default());
        Self { pieces, pool, limit: limit as u64, shift: Mutex::new(0) }
    }

    /// A piece that somebody asks for: it stays longer.
    pub(super) fn get(&self, key: &(impl Hash + Equivalent<PieceKey>)) -> Option<Bytes> {
        self.pieces.get(key)
    }

    /// A piece, by whom it was fetched for: that changes nothing.
    pub(super) fn peek(&self, key: &(impl Hash + Equivalent<PieceKey>)) -> Option<Bytes> {
        self.pieces.peek(key)
    }

    pub(super) fn contains(&self, key: &(impl Hash + Equivalent<PieceKey>)) -> bool {
        self.pieces.contains_key(key)
    }

    pub(super) fn insert(&self, key: PieceKey, bytes: Bytes) {
        self.pieces.insert(key, bytes);
        self.balance();
    }

    pub(super) fn weight(&self) -> u64 {
        self.pieces.weight()
    }

    pub(super) fn forget(&self, file: FileId) {
        self.pieces.retain(|key, _| key.object.name().file() != file);
    }

    pub(super) fn files(&self) -> HashSet<FileId> {
        self.pieces.iter().map(|(key, _)| key.object.name().file()).collect()
    }

    fn balance(&self) {
        let held_outside = (self.pool.held() as u64).saturating_sub(self.pieces.weight());
        let wanted = shift(self.limit, held_outside);
        let mut shift = self.shift.lock().unwrap_or_else(PoisonError::into_inner);
        if *shift != wanted {
            *shift = wanted;
            self.pieces.set_capacity(self.limit >> wanted);
        }
    }
}

/// How far the cache gives way to what clients hold outside of it.
fn shift(limit: u64, held_outside: u64) -> u32 {
    match held_outside {
        held if held <= limit / 4 => 0,
        held if held <= limit / 2 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::ids::OrgId;

    use super::*;
    use crate::cache::object::{Object, ObjectName};

    fn object() -> Object {
        Object::new(ObjectName::Source { org: OrgId::new("acme"), file: FileId::new(), sha256: String::new() })
    }

    fn key(object: &Object, index: u64) -> PieceKey {
        PieceKey { object: object.clone(), index }
    }

    fn memory() -> Memory {
        Memory::new(16 << 20, Pool::default())
    }

    fn put(memory: &Memory, key: PieceKey) -> Bytes {
        let mut buffer = memory.pool.buffer(PIECE);
        buffer.push(&[1; PIECE]);
        let bytes = buffer.freeze();
        memory.insert(key, bytes.clone());
        bytes
    }

    #[test]
    fn the_limit_is_strict() {
        let (memory, object) = (memory(), object());
        for index in 0..1_000 {
            put(&memory, key(&object, index));
            assert!(memory.weight() <= 16 << 20);
        }
        assert!(memory.weight() > 15 << 20, "it is also used: {}", memory.weight());
    }

    #[test]
    fn a_scan_does_not_wash_out_what_is_asked_for_often() {
        let (memory, hot, scanned) = (memory(), object(), object());
        let asked: Vec<_> = (0..128).map(|index| key(&hot, index)).collect();
        for key in &asked {
            put(&memory, key.clone());
        }
        for round in 0..20_000 {
            put(&memory, key(&scanned, round));
            assert!(memory.peek(&key(&scanned, round)).is_some(), "what was just fetched is there for its reader");
            if round % 100 == 0 {
                assert!(asked.iter().all(|key| memory.get(key).is_some()), "washed out after {round} pieces");
            }
        }
    }

    #[test]
    fn read_ahead_survives_beside_a_full_hot_part() {
        let (memory, hot, fresh) = (memory(), object(), object());
        for index in 0..512 {
            put(&memory, key(&hot, index));
            memory.get(&key(&hot, index));
        }
        for index in 0..64 {
            put(&memory, key(&fresh, index));
        }
        let there = (0..64).filter(|index| memory.peek(&key(&fresh, *index)).is_some()).count();
        assert!(there >= 60, "{there} of 64");
    }

    #[test]
    fn the_cache_gives_way_to_what_clients_hold() {
        let (memory, object) = (memory(), object());
        let held: Vec<Bytes> = (0..800).map(|index| put(&memory, key(&object, index))).collect();
        assert!(memory.weight() <= 4 << 20, "{}", memory.weight());
        drop(held);
        for index in 0..800 {
            put(&memory, key(&object, 1_000 + index));
        }
        assert!(memory.weight() > 15 << 20, "it comes back: {}", memory.weight());
    }

    #[test]
    fn a_forgotten_file_is_gone() {
        let (memory, gone, kept) = (memory(), object(), object());
        put(&memory, key(&gone, 0));
        put(&memory, key(&kept, 0));
        memory.forget(gone.name().file());
        assert!(memory.get(&key(&gone, 0)).is_none());
        assert_eq!(memory.files(), HashSet::from([kept.name().file()]));
    }
}
