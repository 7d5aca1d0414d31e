//! How much a client is handed at once. One that takes everything at once gets more each time, and so costs fewer writes;
//! what one that takes its time gets is no more than a piece, for that is what it pins. Pure but for the claim.

use std::time::Duration;

use tokio::time::Instant;

use crate::body::{Allowance, Claim};

/// What needs no claim.
const SHORT: usize = 64 * 1024;
/// 32 pieces; hyper writes up to 64 slices at once. A range of 1 MiB in three writes costs a tenth more than in one.
const LONGEST: usize = 1024 * 1024;
/// Within this a client that is fast asks again: 1 MiB in 20 ms are 52 MB/s.
const QUICK: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(super) struct Stride {
    length: usize,
    given: Option<Instant>,
}

impl Stride {
    /// Bytes to hand out at `now`, of the `left` ones, and the claim that permits more than a short frame. Less than a slice means one slice.
    pub(super) fn next(&mut self, now: Instant, left: u64, allowance: &Allowance) -> (usize, Option<Claim>) {
        self.length = match self.given {
            None => LONGEST,
            Some(given) if now - given < QUICK => (self.length.max(SHORT) * 2).min(LONGEST),
            Some(_) => 0,
        };
        self.given = Some(now);
        let wanted = self.length.min(usize::try_from(left).unwrap_or(usize::MAX));
        if wanted <= SHORT {
            return (wanted, None);
        }
        let claim = allowance.claim(2 * SHORT..=wanted);
        (claim.bytes().max(SHORT), Some(claim))
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
        assert_eq!(lengths, [1 << 20, 1 << 20, 1 << 20, 0, 128 << 10, 256 << 10]);
    }

    #[test]
    fn nobody_gets_more_than_is_left() {
        assert_eq!(strides(&[0, 1], 200_000, &Allowance::of(usize::MAX)), [200_000, 200_000]);
    }

    #[test]
    fn where_many_share_frames_get_shorter() {
        let allowance = Allowance::of(3 << 19);
        let mut first = Stride::default();
        let (length, claim) = first.next(Instant::now(), MUCH, &allowance);
        assert_eq!((length, claim.is_some()), (1 << 20, true));
        assert_eq!(strides(&[0, 1], MUCH, &allowance), [1 << 19, 1 << 19]);
        drop(claim);
        assert_eq!(strides(&[0], MUCH, &allowance), [1 << 20]);
    }

    #[test]
    fn without_an_allowance_frames_stay_short() {
        assert_eq!(strides(&[0, 1], MUCH, &Allowance::of(100 << 10)), [64 << 10, 64 << 10]);
    }
}
