//! One at a time for each key: a player that begins with many connections opens its lease once, and the others find it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

pub(super) struct Gates<K: Eq + Hash> {
    /// Those at which somebody is.
    open: Mutex<HashMap<K, Arc<Turn>>>,
}

/// Whoever waits at a gate or has passed it; ends in `Drop`.
struct Visitor<'a, K: Eq + Hash> {
    gates: &'a Gates<K>,
    key: K,
    turn: Arc<Turn>,
}

/// Nobody else is within while it lives.
pub(super) struct Within<'a, K: Eq + Hash> {
    /// Ends before the visit does, which counts who is left.
    _turn: OwnedMutexGuard<()>,
    _visitor: Visitor<'a, K>,
}

impl<K: Eq + Hash> Default for Gates<K> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone> Gates<K> {
    /// Waits until nobody is within the gate of this key.
    pub(super) async fn enter(&self, key: K) -> Within<'_, K> {
        let turn = Arc::clone(self.lock().entry(key.clone()).or_default());
        let visitor = Visitor { gates: self, key, turn };
        let turn = Arc::clone(&visitor.turn).lock_owned().await;
        Within { _turn: turn, _visitor: visitor }
    }
}

impl<K: Eq + Hash> Gates<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Turn>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Visitor<'_, K> {
    fn drop(&mut self) {
        let mut open = self.gates.lock();
        // The gates' own and this one: new ones are made only under the lock.
        if Arc::strong_count(&self.turn) == 2 {
            open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn of_many_who_come_for_the_same_one_does_the_work() {
        let (gates, done, work) = (Gates::default(), AtomicU32::new(0), AtomicU32::new(0));
        let one = async || {
            let _within = gates.enter("key").await;
            if done.load(Ordering::Relaxed) == 0 {
                yield_now().await;
                work.fetch_add(1, Ordering::Relaxed);
                done.store(1, Ordering::Relaxed);
            }
        };
        join_all((0..100).map(|_| one())).await;
        assert_eq!(work.load(Ordering::Relaxed), 1);
        assert!(gates.lock().is_empty(), "no gate is left behind");
    }

    #[tokio::test]
    async fn who_comes_for_another_does_not_wait_and_who_leaves_is_forgotten() {
        let gates = Gates::default();
        let first = gates.enter(1).await;
        drop(gates.enter(2).await);
        {
            let waiting = gates.enter(1);
            assert!(futures_util::poll!(Box::pin(waiting)).is_pending());
        }
        drop(first);
        assert!(gates.lock().is_empty(), "also of those who gave up waiting");
    }
}
