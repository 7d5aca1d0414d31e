//! Which rungs are worth their bytes. Pure.

use super::{Curve, VideoCodec};

/// A rung that takes at least this share of what a better one takes saves nobody anything.
const SAVES_NOTHING: (u64, u64) = (85, 100);

/// What plays besides the rungs that are encoded: the source, or its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beside {
    /// Everywhere, at every position.
    pub(super) plays: bool,
    /// Bits per second of its pictures, where it is no heavier than the policy likes.
    pub(super) bitrate: Option<u64>,
}

/// Says of each rung that is not worth it why. The curves of a codec descend in size; something that plays everywhere always stays.
pub(super) fn judge(curves: &mut [Curve], beside: &Beside, min_gain: f64) {
    for codec in [VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Av1, VideoCodec::Vp9] {
        let mut kept: Vec<usize> = (0..curves.len()).filter(|at| curves[*at].codec == codec).collect();
        let fewest = usize::from(codec == VideoCodec::H264 && !beside.plays);
        gains(curves, &mut kept, min_gain);
        savings(curves, &mut kept, beside.bitrate, fewest);
    }
}

/// Leaves out what looks like the next smaller one, also at the largest size: both with the usual factor, for the nearer an encoder
/// comes to what is barely good enough, the more its own traces hide what a size adds. What a small step adds is held against the best
/// that was left out, else many of them would add up.
fn gains(curves: &mut [Curve], kept: &mut Vec<usize>, min_gain: f64) {
    let shown = |curves: &[Curve], at: usize| curves[at].usual().map_or(0.0, |point| point.shown);
    let (mut at, mut best) = (0, 0.0_f64);
    while let Some(&next) = kept.get(at + 1) {
        best = best.max(shown(curves, kept[at]));
        let gain = best - shown(curves, next);
        if gain >= min_gain {
            (at, best) = (at + 1, 0.0);
            continue;
        }
        let smaller = curves[next].name.clone();
        curves[kept[at]].dropped = Some(format!("shown as large, {smaller} looks like it: {gain:.4} less of 1"));
        kept.remove(at);
    }
}

/// Leaves out what takes about as much as something better.
fn savings(curves: &mut [Curve], kept: &mut Vec<usize>, beside: Option<u64>, fewest: usize) {
    let mut above = beside.map(|bitrate| ("the source".to_owned(), bitrate));
    let mut at = 0;
    while at < kept.len() {
        let curve = &curves[kept[at]];
        let own = curve.chosen().map_or(0, |point| point.bitrate);
        match &above {
            Some((better, bitrate)) if own * SAVES_NOTHING.1 >= bitrate * SAVES_NOTHING.0 && kept.len() > fewest => {
                let (own, bitrate) = (own / 1_000, bitrate / 1_000);
                curves[kept[at]].dropped = Some(format!("it takes {own} kbit/s, and {better} takes {bitrate}"));
                kept.remove(at);
            }
            _ => {
                above = Some((curve.name.clone(), own));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Point, *};

    const ALONE: Beside = Beside { plays: false, bitrate: None };

    fn curve((name, shown, kilobits): (&str, f64, u64)) -> Curve {
        let codec = if name.ends_with("hevc") { VideoCodec::Hevc } else { VideoCodec::H264 };
        let point = Point { crf: 23, own: 0.97, shown, bitrate: kilobits * 1_000 };
        Curve {
            name: name.to_owned(),
            codec,
            height: 0,
            points: vec![point],
            crf: 23,
            usual_crf: 23,
            dropped: None,
            saved_bytes: 0,
        }
    }

    fn kept(rungs: &[(&str, f64, u64)], beside: Beside) -> Vec<String> {
        let mut curves: Vec<Curve> = rungs.iter().copied().map(curve).collect();
        judge(&mut curves, &beside, 0.003);
        curves.into_iter().filter(|curve| curve.dropped.is_none()).map(|curve| curve.name).collect()
    }

    #[test]
    fn a_ladder_whose_steps_are_seen_and_save_bytes_stays() {
        let usual = [("1080p", 0.970, 4_000), ("720p", 0.955, 2_000), ("480p", 0.93, 1_000), ("360p", 0.90, 600)];
        assert_eq!(kept(&usual, ALONE), ["1080p", "720p", "480p", "360p"]);
    }

    #[test]
    fn a_film_that_was_made_larger_gets_no_rung_for_it() {
        let soft = [("1080p", 0.985, 3_000), ("720p", 0.984, 1_800), ("480p", 0.983, 900), ("360p", 0.96, 500)];
        assert_eq!(kept(&soft, ALONE), ["480p", "360p"]);
    }

    #[test]
    fn small_steps_do_not_add_up() {
        let soft = [("1080p", 0.985, 3_000), ("720p", 0.983, 1_800), ("480p", 0.981, 900), ("360p", 0.979, 500)];
        assert_eq!(kept(&soft, ALONE), ["720p", "360p"]);
    }

    #[test]
    fn what_takes_as_much_as_something_better_is_left_out() {
        let slides = [("1080p", 0.99, 200), ("720p", 0.97, 180), ("480p", 0.95, 160), ("360p", 0.93, 90)];
        assert_eq!(kept(&slides, ALONE), ["1080p", "480p", "360p"]);
        let beside = Beside { plays: true, bitrate: Some(150_000) };
        assert_eq!(kept(&slides[1..], beside), ["360p"]);
    }

    #[test]
    fn something_that_plays_everywhere_stays() {
        let one = [("360p", 0.97, 1_000), ("360p-hevc", 0.97, 800)];
        let light = |plays| Beside { plays, bitrate: Some(300_000) };
        assert_eq!(kept(&one, light(false)), ["360p"]);
        assert!(kept(&one, light(true)).is_empty());
    }

    #[test]
    fn codecs_are_judged_each_by_itself() {
        let both = [("720p", 0.97, 2_000), ("720p-hevc", 0.97, 1_200), ("360p", 0.93, 700), ("360p-hevc", 0.969, 500)];
        assert_eq!(kept(&both, ALONE), ["720p", "360p", "360p-hevc"]);
    }
}
