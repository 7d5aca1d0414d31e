//! The one frame rate of a film whose pictures come at varying times, where the policy wants one.

use reelgate_common::media_info::VideoInfo;

use super::{Choice, FrameRate, LadderPolicy};

/// What cameras and screens are made for.
const STANDARD: [(u32, u32); 8] =
    [(24_000, 1_001), (24, 1), (25, 1), (30_000, 1_001), (30, 1), (50, 1), (60_000, 1_001), (60, 1)];
/// For pictures that come at no rate at all.
const USUAL: (u32, u32) = (30, 1);
/// Above this a rate is a timescale in disguise.
const HIGHEST: f64 = 61.0;

/// `None`: pictures keep their times.
pub(super) fn constant(video: &VideoInfo, policy: &LadderPolicy, reasons: &mut Vec<Choice>) -> Option<(u32, u32)> {
    if policy.frame_rate == FrameRate::Keep {
        return None;
    }
    let rate = nearest(video);
    reasons.push(Choice::new("frame rate", format!("the policy wants a constant one: {}/{}", rate.0, rate.1)));
    Some(rate)
}

/// The standard rate that its average is within a hundredth of, else its nominal rate if that is one, else the usual.
fn nearest(video: &VideoInfo) -> (u32, u32) {
    let (average, nominal) = (per_second(video.average_frame_rate), per_second(video.frame_rate));
    let near = |rate: f64| STANDARD.into_iter().find(|standard| (per_second(*standard) - rate).abs() <= rate * 0.0005);
    let loosely = |rate: f64| {
        let apart = |standard: &(u32, u32)| (per_second(*standard) - rate).abs();
        let closest = STANDARD.into_iter().min_by(|one, other| apart(one).total_cmp(&apart(other)));
        closest.filter(|standard| apart(standard) <= rate * 0.01)
    };
    near(average)
        .or_else(|| loosely(average))
        .or_else(|| (nominal >= average && nominal <= HIGHEST).then(|| loosely(nominal)).flatten())
        .unwrap_or(USUAL)
}

fn per_second((num, den): (u32, u32)) -> f64 {
    if den == 0 { 0.0 } else { f64::from(num) / f64::from(den) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(average: (u32, u32), nominal: (u32, u32)) -> (u32, u32) {
        nearest(&VideoInfo { average_frame_rate: average, frame_rate: nominal, ..VideoInfo::default() })
    }

    #[test]
    fn an_average_close_to_a_standard_rate_is_that_rate() {
        assert_eq!(of((30_000, 1_001), (30_000, 1_001)), (30_000, 1_001));
        assert_eq!(of((45_000, 1_501), (30, 1)), (30_000, 1_001));
        assert_eq!(of((2_997, 125), (24, 1)), (24_000, 1_001));
        assert_eq!(of((24, 1), (24, 1)), (24, 1));
        assert_eq!(of((5_988, 100), (60, 1)), (60_000, 1_001));
    }

    #[test]
    fn a_screen_recording_with_few_pictures_gets_the_rate_it_was_made_at() {
        assert_eq!(of((722, 100), (60, 1)), (60, 1));
        assert_eq!(of((722, 100), (57_600, 1)), USUAL);
        assert_eq!(of((0, 0), (0, 0)), USUAL);
    }

    #[test]
    fn the_policy_decides_whether_there_is_one() {
        let video = VideoInfo { average_frame_rate: (25, 1), ..VideoInfo::default() };
        let wanted = |frame_rate| LadderPolicy { frame_rate, ..LadderPolicy::default() };
        assert_eq!(constant(&video, &wanted(FrameRate::Keep), &mut Vec::new()), None);
        assert_eq!(constant(&video, &wanted(FrameRate::Constant), &mut Vec::new()), Some((25, 1)));
    }
}
