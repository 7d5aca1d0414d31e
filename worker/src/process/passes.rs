//! In how many passes a plan is made. Pure.

use crate::plan::{Extras, Plan, Rung};

/// The passes, and how much of the work each is. A long source that cannot play at once has one small rung made alone, so
/// that people need not wait for the largest; decoding twice is what that costs.
pub(super) fn passes(mut plan: Plan) -> Vec<(Plan, f64)> {
    let Some(at) = plan.rungs.iter().position(|rung| Some(&rung.name) == plan.first.as_ref()) else {
        return vec![(plan, 1.0)];
    };
    if plan.rungs.len() == 1 {
        return vec![(plan, 1.0)];
    }
    let all = work(&plan);
    let rung = plan.rungs.remove(at);
    let mut first = Plan { rungs: vec![rung], extras: Extras::default(), ..plan.clone() };
    first.audio.retain(|step| step.default && !step.alone);
    let share = work(&first) / all;
    vec![(first, share), (plan, 1.0 - share)]
}

/// By pixels.
fn work(plan: &Plan) -> f64 {
    let pixels = |rung: &Rung| f64::from(rung.width) * f64::from(rung.height);
    let all: f64 = plan.rungs.iter().map(pixels).sum();
    all.max(1.0)
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        grid::SegmentGrid,
        media_info::{MediaInfo, VideoInfo},
    };

    use super::*;
    use crate::plan::{LadderPolicy, plan};

    fn full_hd(first: Option<&str>) -> Plan {
        let video = VideoInfo { width: 1920, height: 1080, ..VideoInfo::default() };
        let media = MediaInfo { duration_ms: 10_000, video: Some(video), ..MediaInfo::default() };
        let grid = SegmentGrid::Regular { period_ms: 2_000 };
        Plan { first: first.map(str::to_owned), ..plan(&media, grid, &LadderPolicy::default()) }
    }

    fn names(plan: Plan) -> Vec<Vec<String>> {
        passes(plan).into_iter().map(|(plan, _)| plan.rungs.into_iter().map(|rung| rung.name).collect()).collect()
    }

    #[test]
    fn without_a_first_rung_all_is_made_at_once() {
        assert_eq!(names(full_hd(None)), [["1080p", "720p", "480p", "360p"]]);
        assert_eq!(names(full_hd(Some("240p"))).len(), 1);
    }

    #[test]
    fn the_first_rung_is_made_alone_and_without_extras() {
        assert_eq!(names(full_hd(Some("480p"))), [vec!["480p"], vec!["1080p", "720p", "360p"]]);
        let passes = passes(full_hd(Some("480p")));
        assert!(!passes[0].0.extras.poster && passes[1].0.extras.poster);
        assert!((passes[0].1 + passes[1].1 - 1.0).abs() < 1e-9 && passes[0].1 < passes[1].1);
    }

    #[test]
    fn a_rung_that_is_the_only_one_is_made_with_the_extras() {
        let mut plan = full_hd(Some("480p"));
        plan.rungs.retain(|rung| rung.name == "480p");
        assert_eq!(names(plan), [["480p"]]);
    }
}
