//! Whether the database's clock was set: two readings of it, held against the time that has passed here. Pure but for the
//! reading; knows nothing of what is decided by it.

use reelgate_common::{
    db::{Db, DbError},
    timestamp::Timestamp,
};
use tokio::time::Instant;

/// Less than this is no step: leases are three heartbeats long, and a heartbeat is longer than this but in tests.
const TOLERANCE_MS: i64 = 500;

/// What the database's clock said at some time between two instants of this process's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    said: Timestamp,
    asked: Instant,
    heard: Instant,
}

impl Reading {
    pub(super) async fn of(db: &Db) -> Result<Self, DbError> {
        let asked = Instant::now();
        let said = db.clock().await?;
        Ok(Self { said, asked, heard: Instant::now() })
    }

    /// By how many milliseconds the clock was set since, if it certainly was: a slow answer is no step.
    pub(super) fn step_since(&self, before: &Self) -> Option<i64> {
        let passed = self.said.0.saturating_sub(before.said.0);
        let least = millis(before.heard, self.asked) - TOLERANCE_MS;
        let most = millis(before.asked, self.heard) + TOLERANCE_MS;
        match passed {
            passed if passed < least => Some(passed - least),
            passed if passed > most => Some(passed - most),
            _ => None,
        }
    }
}

fn millis(from: Instant, to: Instant) -> i64 {
    i64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn step(said_ms: i64, asked_ms: u64, heard_ms: u64) -> Option<i64> {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let before = Reading { said: Timestamp(0), asked: begun, heard: at(100) };
        Reading { said: Timestamp(said_ms), asked: at(asked_ms), heard: at(heard_ms) }.step_since(&before)
    }

    #[test]
    fn a_clock_that_goes_on_was_not_set() {
        assert_eq!(step(1_000, 1_000, 1_000), None);
    }

    #[test]
    fn a_slow_answer_is_no_step() {
        assert_eq!(step(1_000, 1_000, 60_000), None);
        assert_eq!(step(60_000, 1_000, 60_000), None);
    }

    #[test]
    fn a_clock_that_was_set_forward_or_back_is_noticed() {
        assert_eq!(step(3_601_000, 1_000, 1_000), Some(3_599_500));
        assert_eq!(step(-3_599_000, 1_000, 1_000), Some(-3_599_400));
    }
}
