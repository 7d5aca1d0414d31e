//! How often a caller may ask: a token bucket, kept as the one time at which it would be full again (GCRA), so that a bucket is
//! a number and an untouched one is nothing. Pure, and the seam to a place where gateways keep buckets together.

mod local;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use local::LocalBuckets;

/// So many requests a second for ever, and this many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Granted,
    /// Nothing was taken; there is one again after this long.
    Empty(Duration),
}

impl Rate {
    /// `None` for any rate. A burst is at least one request.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        (per_second > 0).then_some(Self { per_second, burst: burst.max(1) })
    }

    /// Microseconds that one request costs.
    #[must_use]
    pub fn interval_us(self) -> i64 {
        (1_000_000 / i64::from(self.per_second)).max(1)
    }

    /// Microseconds after which an empty bucket is full.
    #[must_use]
    pub fn tolerance_us(self) -> i64 {
        self.interval_us() * i64::from(self.burst)
    }

    /// One request at `now` from a bucket that is full at `full_at`: when it will be full then, or how long until there is one.
    ///
    /// # Errors
    /// The bucket is empty.
    pub fn take(self, full_at: i64, now: i64) -> Result<i64, Duration> {
        // A bucket that will be full later than an empty one was written under another clock or rate: whoever keeps it puts it right.
        let full_at = full_at.clamp(now, now + self.tolerance_us()) + self.interval_us();
        match full_at - now - self.tolerance_us() {
            ..=0 => Ok(full_at),
            wait => Err(Duration::from_micros(wait.unsigned_abs())),
        }
    }
}

pub type SharedBuckets = Arc<dyn Buckets>;

/// It is away, or slow.
#[derive(Debug, thiserror::Error)]
#[error("the common buckets gave no answer")]
pub struct BucketsAway(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Buckets that all gateways share. They may be lost at any time, and are full then.
#[async_trait]
pub trait Buckets: Send + Sync + 'static {
    /// Takes one request from the bucket of that name.
    ///
    /// # Errors
    /// They are away.
    async fn take(&self, name: &str, rate: Rate) -> Result<Taken, BucketsAway>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(rate: Rate, full_at: &mut i64, now: i64) -> bool {
        rate.take(*full_at, now).map(|next| *full_at = next).is_ok()
    }

    #[test]
    fn a_burst_is_granted_and_then_one_per_interval() {
        let rate = Rate::new(10, 5).unwrap();
        let mut full_at = 0;
        let now = 1_000_000;
        assert_eq!((0..20).filter(|_| granted(rate, &mut full_at, now)).count(), 5);
        assert_eq!(rate.take(full_at, now), Err(Duration::from_millis(100)));
        assert!(!granted(rate, &mut full_at, now + 99_999));
        assert!(granted(rate, &mut full_at, now + 100_000));
        assert!(!granted(rate, &mut full_at, now + 100_000));
        // After a long pause it is full again, and no fuller.
        assert_eq!((0..20).filter(|_| granted(rate, &mut full_at, now + 60_000_000)).count(), 5);
    }

    #[test]
    fn a_clock_that_goes_back_closes_nobody_out() {
        let rate = Rate::new(10, 5).unwrap();
        assert_eq!(rate.take(i64::from(u32::MAX) * 1_000_000, 0), Err(Duration::from_millis(100)));
    }

    #[test]
    fn no_rate_is_any_rate() {
        assert_eq!(Rate::new(0, 100), None);
        assert_eq!(Rate::new(u32::MAX, 0).unwrap().take(0, 0), Ok(1));
    }
}
