//! What was done a moment ago and need not be done again yet. Bounded: when it is full it forgets, and the work is done
//! once more.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const MOST: usize = 4_096;

pub(super) struct Memo<K> {
    lasts: Duration,
    noted: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Memo<K> {
    pub(super) fn new(lasts: Duration) -> Self {
        Self { lasts, noted: Mutex::default() }
    }

    pub(super) fn has(&self, what: &K) -> bool {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get(what).is_some_and(|at| at.elapsed() < self.lasts)
    }

    pub(super) fn note(&self, what: K) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= MOST {
            noted.retain(|_, at| at.elapsed() < self.lasts);
        }
        if noted.len() >= MOST {
            noted.clear();
        }
        noted.insert(what, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_lasts_its_time_and_is_bounded() {
        let memo = Memo::new(Duration::from_secs(60));
        assert!(!memo.has(&1));
        for n in 0..=MOST {
            memo.note(n);
        }
        assert!(memo.has(&MOST));
        assert!(memo.noted.lock().unwrap().len() <= MOST);
        let short = Memo::new(Duration::ZERO);
        short.note(1);
        assert!(!short.has(&1));
    }
}
