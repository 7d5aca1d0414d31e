//! Which stretches of a film stand for all of it. Pure.

use serde::{Deserialize, Serialize};

use super::QualityPolicy;

/// One sample for so much film, until the policy's most.
const ONE_PER_MS: u64 = 30_000;
const FEWEST: u64 = 3;

/// Milliseconds of the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub from_ms: u64,
    pub to_ms: u64,
}

impl Stretch {
    pub(crate) fn length_ms(self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

/// Evenly spread, each in the middle of its share of the film, ascending and apart. Fewer of a short film.
pub(crate) fn stretches(duration_ms: u64, policy: &QualityPolicy) -> Vec<Stretch> {
    let length = u64::from(policy.sample_seconds) * 1_000;
    let most = u64::from(policy.samples);
    let count = (duration_ms / ONE_PER_MS).clamp(FEWEST.min(most), most).min(duration_ms / length.max(1)).max(1);
    let share = duration_ms / count;
    let of = |at: u64| {
        let from_ms = at * share + share.saturating_sub(length) / 2;
        Stretch { from_ms, to_ms: (from_ms + length).min(duration_ms) }
    };
    (0..count).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: u64) -> Vec<(u64, u64)> {
        let stretches = stretches(seconds * 1_000, &QualityPolicy::default());
        stretches.into_iter().map(|stretch| (stretch.from_ms, stretch.to_ms)).collect()
    }

    #[test]
    fn they_lie_in_the_middle_of_their_shares() {
        assert_eq!(of(30), [(4_000, 6_000), (14_000, 16_000), (24_000, 26_000)]);
        assert_eq!(of(7_200).len(), 8);
        assert_eq!(of(7_200)[0], (449_000, 451_000));
    }

    #[test]
    fn they_never_meet_nor_leave_the_film() {
        for seconds in [1, 2, 3, 5, 7, 31, 65, 1_000] {
            let all = of(seconds);
            assert!(!all.is_empty() && all.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{seconds}: {all:?}");
            assert!(all.iter().all(|(from, to)| from < to && *to <= seconds * 1_000), "{seconds}: {all:?}");
        }
    }
}
