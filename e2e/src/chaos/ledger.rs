//! What clients were promised, written down as the answers came. The only truth that the product is held against.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use super::{fault::GATEWAYS, media::Kind};

/// A deletion, as far as its client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    None,
    /// Asked for; the answer never came.
    Asked,
    Answered,
}

/// An upload that was answered with success.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    pub(crate) org: &'static str,
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
    pub(crate) deletion: Deletion,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    promises: Mutex<HashMap<String, Promise>>,
    broken: Mutex<Vec<String>>,
    answers: Mutex<BTreeMap<String, usize>>,
    /// Of each gateway, what is under way.
    uploading: [AtomicUsize; GATEWAYS],
    streaming: [AtomicUsize; GATEWAYS],
}

/// What a client is doing at a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Upload,
    Stream,
}

/// Counts as under way until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ledger {
    pub(crate) fn promised(&self, file: String, promise: Promise) {
        lock(&self.promises).insert(file, promise);
    }

    pub(crate) fn promises(&self) -> HashMap<String, Promise> {
        lock(&self.promises).clone()
    }

    /// Those of one organisation that nobody has asked to delete, in an order that does not depend on a hash.
    pub(crate) fn living(&self, org: &str) -> Vec<(String, Promise)> {
        let promises = lock(&self.promises);
        let mut living: Vec<_> = promises
            .iter()
            .filter(|(_, promise)| promise.org == org && promise.deletion == Deletion::None)
            .map(|(file, promise)| (file.clone(), promise.clone()))
            .collect();
        living.sort_by(|one, other| one.0.cmp(&other.0));
        living
    }

    /// False when somebody else has been faster.
    pub(crate) fn begin_deletion(&self, file: &str) -> bool {
        let mut promises = lock(&self.promises);
        let promise = promises.get_mut(file).filter(|promise| promise.deletion == Deletion::None);
        promise.map(|promise| promise.deletion = Deletion::Asked).is_some()
    }

    pub(crate) fn deleted(&self, file: &str) {
        if let Some(promise) = lock(&self.promises).get_mut(file) {
            promise.deletion = Deletion::Answered;
        }
    }

    /// Whether a deletion was asked for meanwhile.
    pub(crate) fn is_leaving(&self, file: &str) -> bool {
        lock(&self.promises).get(file).is_none_or(|promise| promise.deletion != Deletion::None)
    }

    /// Something that must never be.
    pub(crate) fn broke(&self, what: String) {
        lock(&self.broken).push(what);
    }

    pub(crate) fn broken(&self) -> Vec<String> {
        lock(&self.broken).clone()
    }

    pub(crate) fn count(&self, what: String) {
        *lock(&self.answers).entry(what).or_default() += 1;
    }

    pub(crate) fn answers(&self) -> BTreeMap<String, usize> {
        lock(&self.answers).clone()
    }

    pub(crate) fn enter(&self, doing: Doing, gateway: usize) -> UnderWay<'_> {
        let counter = &self.counters(doing)[gateway];
        counter.fetch_add(1, Ordering::Relaxed);
        UnderWay(counter)
    }

    pub(crate) fn under_way(&self, doing: Doing, gateway: usize) -> bool {
        self.counters(doing)[gateway].load(Ordering::Relaxed) > 0
    }

    fn counters(&self, doing: Doing) -> &[AtomicUsize; GATEWAYS] {
        match doing {
            Doing::Upload => &self.uploading,
            Doing::Stream => &self.streaming,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
