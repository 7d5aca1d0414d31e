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

#[cfg(test)]
mod tests {
    use reelgate_common::{
        ids::{OrgId, UserId},
        lease::Client,
        timestamp::Timestamp,
    };

    use super::*;

    fn lease(token_id: &str, seen: i64) -> PlaybackLease {
        PlaybackLease {
            id: LeaseId::random(),
            org: OrgId::new("acme"),
            user: UserId::new("alice"),
            file: FileId(uuid::Uuid::nil()),
            token_id: token_id.to_owned(),
            scope: Vec::new(),
            token_issued_at: Timestamp(0),
            token_expires_at: Timestamp(0),
            client: Client::new(b"player", "192.0.2.1".parse().unwrap()),
            opened_at: Timestamp(0),
            seen_at: Timestamp(seen),
            ends_at: Timestamp(i64::MAX),
            moves: Vec::new(),
            pins: Vec::new(),
        }
    }

    fn key(token_id: &str) -> (String, FileId) {
        (token_id.to_owned(), FileId(uuid::Uuid::nil()))
    }

    #[test]
    fn a_lease_is_found_by_its_name_and_by_its_token() {
        let shelf = Shelf::default();
        let one = lease("one", 1);
        let held = shelf.put(one.clone(), true);
        shelf.put(lease("two", 1), true);
        assert!(Arc::ptr_eq(&shelf.get(one.id).unwrap(), &held));
        assert_eq!(shelf.of_token(&key("one")).len(), 1);
        assert!(shelf.of_token(&key("three")).is_empty());
        shelf.remove_all(|held| held.id() == one.id);
        assert!(shelf.get(one.id).is_none() && shelf.of_token(&key("one")).is_empty());
    }

    #[test]
    fn what_is_put_twice_stands_once_and_knows_the_latest() {
        let shelf = Shelf::default();
        let first = lease("one", 5);
        let held = shelf.put(first.clone(), true);
        let mut moved = first.clone();
        moved.rebind(Client::new(b"player", "198.51.100.1".parse().unwrap()), Timestamp(9));
        assert!(Arc::ptr_eq(&shelf.put(moved.clone(), true), &held));
        shelf.put(first, true);
        assert_eq!((held.lease().client, held.seen_at()), (moved.client, Timestamp(9)), "nothing goes back");
        assert_eq!(shelf.all().len(), 1);
    }

    #[test]
    fn room_is_made_of_what_was_used_longest_ago_and_of_nothing_in_use() {
        let shelf = Shelf::default();
        let leases: Vec<_> = (0..8).map(|n| lease("one", n)).collect();
        let held: Vec<_> = leases.iter().map(|lease| shelf.put(lease.clone(), true)).collect();
        let _sending = held[0].connect(1).unwrap();
        shelf.write().make_room(3);
        let left: Vec<bool> = leases.iter().map(|lease| shelf.get(lease.id).is_some()).collect();
        assert_eq!(left, [true, false, false, false, true, true, true, true]);
        assert_eq!(shelf.of_token(&key("one")).len(), 5);
    }
}
