//! How long to wait before the next run: exponential, capped, with full jitter above half.

use std::time::Duration;

/// The wait after the `failures`th failure (from 1): between half and the whole of `base × 2^(failures-1)`, at most `max`.
/// `jitter` is a random number in 0.0..=1.0, given from outside so that this stays a pure function.
#[must_use]
pub fn backoff(base: Duration, max: Duration, failures: u32, jitter: f64) -> Duration {
    let doubled = base.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(max).mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(2);
    const MAX: Duration = Duration::from_secs(300);

    #[test]
    fn it_doubles_up_to_the_cap() {
        let waits: Vec<_> = [1, 2, 3, 20, 40, u32::MAX].map(|n| backoff(BASE, MAX, n, 1.0).as_secs()).into();
        assert_eq!(waits, [2, 4, 8, 300, 300, 300]);
    }

    #[test]
    fn jitter_never_goes_below_half() {
        assert_eq!(backoff(BASE, MAX, 1, 0.0), Duration::from_secs(1));
    }
}
