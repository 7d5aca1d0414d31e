//! Where the held leases stand, found by name or by token and file. Bounded: what was used longest ago goes first; its
//! row stays.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use reelgate_common::{
    ids::FileId,
    lease::{LeaseId, PlaybackLease},
};

use super::held::Held;

/// About a kilobyte each.
const MOST: usize = 50_000;

#[derive(Default)]
pub(super) struct Shelf {
    held: RwLock<Standing>,
}

#[derive(Default)]
struct Standing {
    by_id: HashMap<LeaseId, Arc<Held>>,
    by_token: HashMap<(String, FileId), Vec<Arc<Held>>>,
}

impl Shelf {
    pub(super) fn get(&self, id: LeaseId) -> Option<Arc<Held>> {
        self.read().by_id.get(&id).cloned()
    }

    /// What a token has opened for a file.
    pub(super) fn of_token(&self, key: &(String, FileId)) -> Vec<Arc<Held>> {
        self.read().by_token.get(key).cloned().unwrap_or_default()
    }

    /// The first of them that `is_it`, without copying the others.
    pub(super) fn find<T>(&self, key: &(String, FileId), is_it: impl Fn(&Arc<Held>) -> Option<T>) -> Option<T> {
        self.read().by_token.get(key)?.iter().find_map(is_it)
    }

    /// Puts a lease there, or merges it with the one that stands there.
    pub(super) fn put(&self, lease: PlaybackLease, saved: bool) -> Arc<Held> {
        let mut standing = self.write();
        if let Some(held) = standing.by_id.get(&lease.id) {
            held.merge(&lease);
            return held.clone();
        }
        if standing.by_id.len() >= MOST {
            standing.make_room(MOST / 8);
        }
        let key = (lease.token_id.clone(), lease.file);
        let held = Arc::new(Held::new(lease, saved));
        standing.by_token.entry(key).or_default().push(held.clone());
        standing.by_id.insert(held.id(), held.clone());
        held
    }

    pub(super) fn all(&self) -> Vec<Arc<Held>> {
        self.read().by_id.values().cloned().collect()
    }

    pub(super) fn remove_all(&self, gone: impl Fn(&Held) -> bool) {
        self.write().retain(|held| !gone(held));
    }

    fn read(&self) -> RwLockReadGuard<'_, Standing> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Standing> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn retain(&mut self, stays: impl Fn(&Held) -> bool) {
        self.by_id.retain(|_, held| stays(held));
        self.by_token.retain(|_, leases| {
            leases.retain(|held| stays(held));
            !leases.is_empty()
        });
    }

    /// Drops at least so many, of those that can be read from their row again when they can, in any case those that were
    /// used longest ago.
    fn make_room(&mut self, room: usize) {
        let mut seen: Vec<_> = self.by_id.values().map(|held| (held.is_in_use(), held.seen_at())).collect();
        seen.sort_unstable();
        let Some(last) = seen.get(room.min(seen.len()).saturating_sub(1)).copied() else { return };
        self.retain(|held| (held.is_in_use(), held.seen_at()) > last);
    }
}
