//! Which factors to try next. Likeness in decibels falls about evenly with the factor, so two points say where the target lies, and
//! a third or fourth that it does. Each pass tries one factor of each rung that is still open. Pure.

use reelgate_common::media_info::MediaInfo;

use super::{
    super::{Plan, Rung},
    Curve, Metric, Point, Quality, QualityPolicy, VideoStep, worth,
};

/// Passes over the samples.
const MOST_PASSES: usize = 4;
/// Decibels for each step of the factor, where a film has said nothing of its own: x264 over the corpus has 0.2 to 0.5.
const USUAL_SLOPE: f64 = 0.35;
/// Two points near each other say little of where the rest lies.
const SLOPES: (f64, f64) = (0.1, 1.0);
/// As good as met: half a step of the factor.
const NEAR: f64 = 0.15;
/// Where so much less quality saves less than this share of the bytes, the cap has decided.
const CAPPED: (u64, u64) = (97, 100);

/// What is known so far.
#[derive(Debug)]
pub(crate) struct Search {
    policy: QualityPolicy,
    curves: Vec<Curve>,
    passes: usize,
}

/// What one pass has measured of one rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub(crate) own: f64,
    pub(crate) shown: f64,
    pub(crate) bitrate: u64,
}

impl Search {
    pub(crate) fn new(plan: &Plan, policy: &QualityPolicy) -> Self {
        let curve = |rung: &Rung| match rung.video {
            VideoStep::Encode { codec, crf, .. } => Some(Curve {
                name: rung.name.clone(),
                codec,
                height: rung.height,
                points: Vec::new(),
                crf,
                usual_crf: crf,
                dropped: None,
                saved_bytes: 0,
            }),
            VideoStep::Copy => None,
        };
        Self { policy: policy.clone(), curves: plan.rungs.iter().filter_map(curve).collect(), passes: 0 }
    }

    /// The rungs of the next pass with their factors; none when all is known. The largest is always among them, for all others are
    /// held against its size.
    pub(crate) fn next(&self) -> Vec<(String, u8)> {
        if self.passes == MOST_PASSES {
            return Vec::new();
        }
        let mut wanted: Vec<_> = self.curves.iter().map(|curve| (curve, self.next_of(curve))).collect();
        if wanted.iter().all(|(_, crf)| crf.is_none()) {
            return Vec::new();
        }
        if let Some((top, crf @ None)) = wanted.first_mut() {
            *crf = Some(self.choice(top));
        }
        wanted.into_iter().filter_map(|(curve, crf)| Some((curve.name.clone(), crf?))).collect()
    }

    /// Takes what a pass has measured with these factors.
    ///
    /// # Errors
    /// A rung is missing, or was not asked for.
    pub(crate) fn take(&mut self, found: &[(String, u8, Measured)]) -> Result<(), String> {
        self.passes += 1;
        for (name, crf, measured) in found {
            let curve = self.curves.iter_mut().find(|curve| curve.name == *name);
            let curve = curve.ok_or_else(|| format!("{name} is no rung of the plan"))?;
            let Measured { own, shown, bitrate } = *measured;
            if curve.points.iter().all(|point| point.crf != *crf) {
                curve.points.push(Point { crf: *crf, own, shown, bitrate });
                curve.points.sort_by_key(|point| point.crf);
            }
        }
        match self.curves.iter().find(|curve| curve.points.is_empty()) {
            Some(curve) => Err(format!("nothing was measured of {}", curve.name)),
            None => Ok(()),
        }
    }

    /// What to make of the plan that the search began with.
    pub(crate) fn found(self, media: &MediaInfo, plan: &Plan, sampled_ms: u64) -> Quality {
        let choices: Vec<u8> = self.curves.iter().map(|curve| self.choice(curve)).collect();
        let mut curves = self.curves;
        curves.iter_mut().zip(choices).for_each(|(curve, crf)| curve.crf = crf);
        worth::judge(&mut curves, &worth::Beside::of(media, plan), self.policy.min_gain);
        for curve in &mut curves {
            curve.saved_bytes = saved(curve, media.duration_ms);
        }
        Quality { metric: Metric::Ssim, target: self.policy.ssim, sampled_ms, curves }
    }

    fn next_of(&self, curve: &Curve) -> Option<u8> {
        let (lowest, highest) = (self.policy.lowest_crf, self.policy.highest_crf);
        if curve.points.is_empty() {
            return Some(curve.usual_crf);
        }
        let guess = |from: &Point| aim(&curve.points, from, self.policy.ssim);
        match self.bracket(curve) {
            (Some(good), _) if near(good.own, self.policy.ssim) => None,
            (Some(good), Some(bad)) if bad.crf - good.crf <= 1 => None,
            (Some(good), Some(bad)) => Some(guess(good).clamp(good.crf + 1, bad.crf - 1)),
            (Some(good), None) if good.crf >= highest => None,
            (Some(good), None) => Some(guess(good).clamp(good.crf + 1, highest)),
            (None, Some(bad)) if bad.crf <= lowest || is_capped(&curve.points) => None,
            (None, Some(bad)) => Some(guess(bad).clamp(lowest, bad.crf - 1)),
            (None, None) => None,
        }
    }

    /// The highest factor that is good enough, and the lowest above it that is not.
    fn bracket<'a>(&self, curve: &'a Curve) -> (Option<&'a Point>, Option<&'a Point>) {
        let good = curve.points.iter().rfind(|point| point.own >= self.policy.ssim);
        let above = |point: &&Point| good.is_none_or(|good| point.crf > good.crf);
        (good, curve.points.iter().find(above))
    }

    fn choice(&self, curve: &Curve) -> u8 {
        let points = &curve.points;
        match self.bracket(curve) {
            (Some(good), _) => good.crf,
            // What the cap makes of a lower factor is no better.
            (None, _) if is_capped(points) => points[1].crf,
            (None, Some(best)) => best.crf,
            (None, None) => curve.usual_crf,
        }
    }
}

/// Likeness as the ratio of what is there to what is lost.
fn decibels(likeness: f64) -> f64 {
    -10.0 * (1.0 - likeness).max(1e-6).log10()
}

fn near(own: f64, target: f64) -> bool {
    decibels(own) - decibels(target) < NEAR
}

/// The factor at which the target would be met, seen from one point and the slope between the two nearest to the target.
fn aim(points: &[Point], from: &Point, target: f64) -> u8 {
    let off = |point: &Point| (decibels(point.own) - decibels(target)).abs();
    let mut nearest: Vec<&Point> = points.iter().collect();
    nearest.sort_by(|one, other| off(one).total_cmp(&off(other)));
    let slope = match nearest[..] {
        [one, other, ..] if one.crf != other.crf => {
            (decibels(one.own) - decibels(other.own)) / (f64::from(other.crf) - f64::from(one.crf))
        }
        _ => USUAL_SLOPE,
    };
    let steps = (decibels(from.own) - decibels(target)) / slope.clamp(SLOPES.0, SLOPES.1);
    // Downwards in any case: a factor too low costs bytes, one too high another pass.
    (f64::from(from.crf) + steps).floor().clamp(0.0, 51.0) as u8
}

/// Whether the two lowest factors take the same bytes.
fn is_capped(points: &[Point]) -> bool {
    matches!(points, [lower, higher, ..] if higher.bitrate * CAPPED.1 >= lower.bitrate * CAPPED.0)
}

fn saved(curve: &Curve, duration_ms: u64) -> i64 {
    let bytes = |crf: u8| {
        let bits = curve.point(crf).map_or(0, |point| point.bitrate);
        i64::try_from(u128::from(bits) * u128::from(duration_ms) / 8_000).unwrap_or(i64::MAX)
    };
    let taken = if curve.dropped.is_some() { 0 } else { bytes(curve.crf) };
    bytes(curve.usual_crf) - taken
}

impl worth::Beside {
    fn of(media: &MediaInfo, plan: &Plan) -> Self {
        let plays = plan.remuxed().is_some() || media.segment_safe;
        let bitrate = media.video.as_ref().and_then(|video| video.bitrate).filter(|_| plays && !plan.heavy);
        Self { plays, bitrate }
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::{grid::SegmentGrid, media_info::VideoInfo};

    use super::*;
    use crate::plan::{LadderPolicy, plan};

    /// An encoder whose likeness is `at_23` decibels at 23, `slope` more for each step below, and never more than the cap's.
    struct Encoder {
        at_23: f64,
        slope: f64,
        cap: u64,
    }

    impl Encoder {
        fn encode(&self, crf: u8) -> Measured {
            let steps = f64::from(crf) - 23.0;
            let bitrate = ((4e6 * 2_f64.powf(-steps / 6.0)) as u64).min(self.cap);
            let own = 1.0 - 10_f64.powf(-(self.at_23 - steps * self.slope) / 10.0);
            Measured { own, shown: own, bitrate }
        }
    }

    fn film() -> (MediaInfo, Plan) {
        let video = VideoInfo { width: 640, height: 360, ..VideoInfo::default() };
        let media = MediaInfo { video: Some(video), duration_ms: 80_000, ..MediaInfo::default() };
        let policy = LadderPolicy { rungs: vec![360], ..LadderPolicy::default() };
        let plan = plan(&media, SegmentGrid::Regular { period_ms: 2_000 }, &policy);
        (media, plan)
    }

    fn searched(encoder: &Encoder) -> Curve {
        let (media, plan) = film();
        let mut search = Search::new(&plan, &QualityPolicy { enabled: true, ..QualityPolicy::default() });
        loop {
            let next = search.next();
            if next.is_empty() {
                break;
            }
            let found: Vec<_> = next.into_iter().map(|(name, crf)| (name, crf, encoder.encode(crf))).collect();
            search.take(&found).unwrap();
        }
        search.found(&media, &plan, 6_000).curves.remove(0)
    }

    #[test]
    fn the_highest_factor_that_is_good_enough_is_found_in_few_passes() {
        // The target is 17.0 dB.
        for at_23 in [13.0, 14.9, 16.0, 16.8, 17.0, 17.7, 19.0, 20.5] {
            for slope in [0.2, 0.35, 0.5] {
                let encoder = Encoder { at_23, slope, cap: u64::MAX };
                let curve = searched(&encoder);
                let best = (18..=32).rev().find(|crf| encoder.encode(*crf).own >= 0.98);
                let expected = best.unwrap_or(18);
                assert!(curve.points.len() <= MOST_PASSES);
                assert!(
                    curve.crf <= expected && expected - curve.crf <= 1,
                    "{at_23} {slope}: {} instead of {expected}, {:?}",
                    curve.crf,
                    curve.points
                );
            }
        }
    }

    #[test]
    fn what_the_cap_has_decided_is_not_asked_for_in_vain() {
        let curve = searched(&Encoder { at_23: 14.0, slope: 0.35, cap: 3_000_000 });
        assert_eq!((curve.crf, curve.points.len()), (23, 2), "{:?}", curve.points);
    }

    #[test]
    fn bytes_saved_are_those_of_the_whole_film() {
        let easy = searched(&Encoder { at_23: 19.0, slope: 0.35, cap: u64::MAX });
        let rate = |crf| i64::try_from(easy.points.iter().find(|point| point.crf == crf).unwrap().bitrate).unwrap();
        assert!(easy.crf > 23);
        assert!((easy.saved_bytes - (rate(23) - rate(easy.crf)) * 10).abs() <= 1);
        assert!(searched(&Encoder { at_23: 15.0, slope: 0.35, cap: u64::MAX }).saved_bytes < 0);
    }

    #[test]
    fn a_rung_that_was_not_measured_ends_the_search() {
        let (_, plan) = film();
        let mut search = Search::new(&plan, &QualityPolicy::default());
        assert!(search.take(&[]).unwrap_err().contains("360p"));
        let measured = Measured { own: 1.0, shown: 1.0, bitrate: 1 };
        assert!(search.take(&[("1080p".to_owned(), 23, measured)]).is_err());
    }

    #[test]
    fn the_largest_is_measured_with_every_other() {
        let video = VideoInfo { width: 1280, height: 720, ..VideoInfo::default() };
        let media = MediaInfo { video: Some(video), duration_ms: 80_000, ..MediaInfo::default() };
        let policy = LadderPolicy { rungs: vec![720, 360], ..LadderPolicy::default() };
        let plan = plan(&media, SegmentGrid::Regular { period_ms: 2_000 }, &policy);
        let mut search = Search::new(&plan, &QualityPolicy::default());
        assert_eq!(search.next(), [("720p".to_owned(), 23), ("360p".to_owned(), 23)]);
        let of = |own| Measured { own, shown: own, bitrate: 1_000 };
        search.take(&[("720p".to_owned(), 23, of(0.9801)), ("360p".to_owned(), 23, of(0.99))]).unwrap();
        let next = search.next();
        assert_eq!((next.len(), &next[0]), (2, &("720p".to_owned(), 23)), "{next:?}");
        assert!(next[1].1 > 23);
    }
}
