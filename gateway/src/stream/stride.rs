//! How much a client is handed at once. One that takes everything at once gets more each time, and so costs fewer writes;
//! what one that takes its time gets is no more than a piece, for that is what it pins. Pure but for the claim.

use std::time::Duration;

use tokio::time::Instant;

use crate::body::{Allowance, Claim};

/// What needs no claim.
const SHORT: usize = 64 * 1024;
const FIRST: usize = 256 * 1024;
/// 16 pieces. Longer ones made no difference that could be measured.
const LONGEST: usize = 512 * 1024;
/// Within this a client that is fast asks again: 512 KiB in 20 ms are 26 MB/s.
const QUICK: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(super) struct Stride {
    length: usize,
    given: Option<Instant>,
}

impl Stride {
    /// Bytes to hand out at `now`, of the `left` ones, and the claim that permits it. Less than a slice means one slice.
    pub(super) fn next(&mut self, now: Instant, left: u64, allowance: &Allowance) -> (usize, Option<Claim>) {
        self.length = match self.given {
            None => FIRST,
            Some(given) if now - given < QUICK => (self.length.max(SHORT) * 2).min(LONGEST),
            Some(_) => 0,
        };
        self.given = Some(now);
        let wanted = self.length.min(usize::try_from(left).unwrap_or(usize::MAX));
        if wanted <= SHORT {
            return (wanted, None);
        }
        allowance.claim(wanted).map_or((SHORT, None), |claim| (wanted, Some(claim)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUCH: u64 = 1 << 30;

    fn strides(gaps_ms: &[u64], left: u64, allowance: &Allowance) -> Vec<usize> {
        let (mut stride, mut now) = (Stride::default(), Instant::now());
        let lengths = gaps_ms.iter().map(|gap| {
            now += Duration::from_millis(*gap);
            stride.next(now, left, allowance).0
        });
        lengths.collect()
    }

    #[test]
    fn who_takes_at_once_gets_more_and_who_pauses_a_piece() {
        let lengths = strides(&[0, 1, 1, 30, 1, 1], MUCH, &Allowance::of(usize::MAX));
        assert_eq!(lengths, [256 << 10, 512 << 10, 512 << 10, 0, 128 << 10, 256 << 10]);
    }

    #[test]
    fn nobody_gets_more_than_is_left() {
        assert_eq!(strides(&[0, 1], 70_000, &Allowance::of(usize::MAX)), [70_000, 70_000]);
    }

    #[test]
    fn without_an_allowance_frames_stay_short() {
        let allowance = Allowance::of(300 << 10);
        let mut first = Stride::default();
        let (length, claim) = first.next(Instant::now(), MUCH, &allowance);
        assert_eq!((length, claim.is_some()), (256 << 10, true));
        assert_eq!(strides(&[0, 1], MUCH, &allowance), [64 << 10, 64 << 10]);
        drop(claim);
        assert_eq!(strides(&[0], MUCH, &allowance), [256 << 10]);
    }
}
