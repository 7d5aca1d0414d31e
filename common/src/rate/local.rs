//! Buckets of one process: what a gateway counts by while the common ones are away, and all that the embedded footing has.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

use super::{Rate, Taken};

/// Buckets at once. When so many callers are busy, the fullest buckets are forgotten first, those of the least busy.
const MOST: usize = 10_000;

pub struct LocalBuckets {
    epoch: Instant,
    full_at: Mutex<HashMap<String, i64>>,
}

impl Default for LocalBuckets {
    fn default() -> Self {
        Self { epoch: Instant::now(), full_at: Mutex::default() }
    }
}

impl LocalBuckets {
    pub fn take(&self, name: &str, rate: Rate) -> Taken {
        let now = i64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(i64::MAX / 2);
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        match rate.take(buckets.get(name).copied().unwrap_or(now), now) {
            Ok(full_at) => {
                buckets.insert(name.to_owned(), full_at);
                if buckets.len() > MOST {
                    forget(&mut buckets, now);
                }
                Taken::Granted
            }
            Err(wait) => Taken::Empty(wait),
        }
    }
}

/// Full ones are as good as none; then the fuller half.
fn forget(buckets: &mut HashMap<String, i64>, now: i64) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() > MOST / 2 {
        let mut times: Vec<i64> = buckets.values().copied().collect();
        let (_, middle, _) = times.select_nth_unstable(buckets.len() / 2);
        let middle = *middle;
        buckets.retain(|_, full_at| *full_at > middle);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_caller_has_a_bucket_that_fills_again() {
        let (buckets, rate) = (LocalBuckets::default(), Rate::new(2, 3).unwrap());
        for _ in 0..3 {
            assert_eq!(buckets.take("alice", rate), Taken::Granted);
        }
        assert_eq!(buckets.take("alice", rate), Taken::Empty(Duration::from_millis(500)));
        assert_eq!(buckets.take("bob", rate), Taken::Granted);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(buckets.take("alice", rate), Taken::Granted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_callers_costs_bounded_memory_and_the_busiest_stay_known() {
        let (buckets, rate) = (LocalBuckets::default(), Rate::new(1, 2).unwrap());
        while buckets.take("busy", rate) == Taken::Granted {}
        for n in 0..3 * MOST {
            buckets.take(&n.to_string(), rate);
        }
        assert!(buckets.full_at.lock().unwrap().len() <= MOST);
        assert!(matches!(buckets.take("busy", rate), Taken::Empty(_)));
    }
}
