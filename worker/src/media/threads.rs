//! Who gets how many threads, and whose pictures a rung is scaled from. Pure: functions of sizes and of the task's threads.

/// A rung is scaled from another rung only when that has at least this many times its pixels: twice in each direction, less
/// what rounding to even sides may take. Pictures that were scaled twice by less lose what the encoder would have kept: with
/// 1.5, 480p out of 720p came out 4 % smaller and softer than out of 1080p.
const WORTH_A_STEP: (u64, u64) = (38, 10);
/// What x264 itself takes per core when it is alone. More threads than cores, for some always wait for others.
const OVERCOMMIT: (u64, u64) = (3, 2);

/// An encoder's threads, for each of the rungs that are encoded side by side. Its share of the pixels is its share of the
/// work, so that all end together: with equal shares the small ones would starve the large one, and memory grows by the
/// thread. An encoder with one thread runs on its rung's own, without a queue in between.
pub(super) fn encoder_threads(threads: u32, pixels: &[u64]) -> Vec<u32> {
    let all = pixels.iter().sum::<u64>().max(1);
    let wanted = |own: u64| (u64::from(threads.max(1)) * own * OVERCOMMIT.0).div_ceil(all * OVERCOMMIT.1);
    pixels.iter().map(|own| u32::try_from(wanted(*own)).unwrap_or(1).max(1)).collect()
}

/// For each rung but the first which other one its pictures come from: the nearest above that is large enough, else the
/// first. `pixels` descend.
pub(super) fn scaled_from(pixels: &[u64]) -> Vec<Option<usize>> {
    let worth = |above: u64, own: u64| above * WORTH_A_STEP.1 >= own * WORTH_A_STEP.0;
    let above = |rung: usize| (0..rung).rev().find(|above| worth(pixels[*above], pixels[rung])).unwrap_or(0);
    (0..pixels.len()).map(|rung| (rung > 0).then(|| above(rung))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: [u64; 4] = [1920 * 1080, 1280 * 720, 854 * 480, 640 * 360];

    #[test]
    fn the_larger_rung_gets_the_more_threads() {
        assert_eq!(encoder_threads(4, &LADDER), [4, 2, 1, 1]);
        assert_eq!(encoder_threads(2, &LADDER), [2, 1, 1, 1]);
        assert_eq!(encoder_threads(16, &LADDER), [14, 7, 3, 2]);
    }

    #[test]
    fn a_rung_alone_gets_what_its_encoder_would_take_and_never_less_than_one() {
        assert_eq!(encoder_threads(4, &LADDER[2..3]), [6]);
        assert_eq!(encoder_threads(0, &LADDER), [1, 1, 1, 1]);
        assert_eq!(encoder_threads(4, &[]), [0; 0]);
    }

    #[test]
    fn a_rung_is_scaled_from_the_nearest_one_that_is_twice_as_large() {
        assert_eq!(scaled_from(&LADDER), [None, Some(0), Some(0), Some(1)]);
        assert_eq!(scaled_from(&[1920 * 1080, 1600 * 900, 1280 * 720]), [None, Some(0), Some(0)]);
        let high = [3840 * 2160, 2560 * 1440, 1920 * 1080, 1280 * 720, 854 * 480, 640 * 360];
        assert_eq!(scaled_from(&high), [None, Some(0), Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(scaled_from(&[]), [None; 0]);
    }
}
