//! Making do with less memory: pure. First fewer threads, then without the largest renditions, then it cannot be done.

use reelgate_common::media_info::MediaInfo;

use super::estimate::needed;
use crate::plan::{Choice, Plan, VideoStep};

/// A task as it will be run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thrifty {
    pub(crate) plan: Plan,
    pub(crate) threads: u32,
    pub(crate) memory_bytes: u64,
}

/// What to run within `budget` bytes, when `deaths` runs before have died of memory. The first death costs all threads but
/// one, each further one the largest rung that is encoded; the last rung is never given up.
pub(crate) fn within(media: &MediaInfo, mut plan: Plan, threads: u32, budget: u64, deaths: u32) -> Thrifty {
    let mut threads = if deaths > 0 { 1 } else { threads.max(1) };
    for _ in 1..deaths {
        give_up_largest(&mut plan);
    }
    while needed(media, &plan, threads) > budget {
        if threads > 1 {
            threads /= 2;
        } else if !give_up_largest(&mut plan) {
            break;
        }
    }
    // A second chance is worth more than the estimate that was too low.
    let asked = if deaths > 0 { budget } else { needed(media, &plan, threads) };
    Thrifty { memory_bytes: asked.min(budget), plan, threads }
}

/// Whether there was one to give up.
fn give_up_largest(plan: &mut Plan) -> bool {
    let encoded = |video: &VideoStep| matches!(video, VideoStep::Encode { .. });
    if plan.rungs.iter().filter(|rung| encoded(&rung.video)).count() < 2 {
        return false;
    }
    let Some(at) = plan.rungs.iter().position(|rung| encoded(&rung.video)) else { return false };
    let rung = plan.rungs.remove(at);
    plan.reasons.push(Choice::new(format!("no {}", rung.name), "there is not enough memory to make it"));
    if plan.first.as_ref() == Some(&rung.name) {
        plan.first = None;
    }
    true
}

#[cfg(test)]
mod tests {
    use reelgate_common::{grid::SegmentGrid, media_info::VideoInfo};

    use super::*;
    use crate::plan::{LadderPolicy, plan};

    const GIB: u64 = 1 << 30;

    fn film(width: u32, height: u32) -> (MediaInfo, Plan) {
        let video = VideoInfo {
            coded_width: width,
            coded_height: height,
            width,
            height,
            codec: "h264".to_owned(),
            frame_rate: (30, 1),
            average_frame_rate: (30, 1),
            ..VideoInfo::default()
        };
        let media = MediaInfo { video: Some(video), duration_ms: 10_000, ..MediaInfo::default() };
        let plan = plan(&media, SegmentGrid::Regular { period_ms: 2000 }, &LadderPolicy::default());
        (media, plan)
    }

    fn names(thrifty: &Thrifty) -> Vec<&str> {
        thrifty.plan.rungs.iter().map(|rung| rung.name.as_str()).collect()
    }

    #[test]
    fn the_estimate_lies_above_what_was_measured() {
        // MiB of VmData at most: x264 veryfast, default ladder.
        for (width, height, threads, measured) in [
            (3840, 2160, 4, 2488),
            (3840, 2160, 1, 1513),
            (1920, 1080, 4, 984),
            (1920, 1080, 1, 488),
            (1280, 720, 4, 480),
        ] {
            let (media, plan) = film(width, height);
            let needed = needed(&media, &plan, threads) >> 20;
            assert!((measured..measured * 3).contains(&needed), "{width}x{height} {threads}: {needed} of {measured}");
        }
    }

    #[test]
    fn the_estimate_of_further_codecs_lies_above_what_was_measured() {
        use crate::plan::VideoCodec::{Av1, Hevc, Vp9};
        // MiB of VmData at most, each beside H.264 (docs/sandbox.md).
        for (codec, height, threads, measured) in [
            (Hevc, 1080, 4, 1553),
            (Hevc, 1080, 1, 1332),
            (Hevc, 720, 4, 864),
            (Vp9, 1080, 4, 1296),
            (Vp9, 1080, 1, 1101),
            (Av1, 1080, 4, 1475),
        ] {
            let (media, _) = film(height * 16 / 9, height);
            let policy = LadderPolicy { codecs: vec![codec], ..LadderPolicy::default() };
            let plan = plan(&media, SegmentGrid::Regular { period_ms: 2000 }, &policy);
            let needed = needed(&media, &plan, threads) >> 20;
            // The headroom that every estimate has.
            let bounds = measured * 5 / 4..measured * 2;
            assert!(bounds.contains(&needed), "{codec:?} {height} {threads}: {needed} of {measured}");
        }
    }

    #[test]
    fn with_memory_enough_nothing_is_given_up() {
        let (media, plan) = film(1920, 1080);
        let run = within(&media, plan.clone(), 4, 16 * GIB, 0);
        assert_eq!((run.threads, &run.plan), (4, &plan));
        assert!(run.memory_bytes < 3 * GIB, "{}", run.memory_bytes);
    }

    #[test]
    fn with_little_memory_threads_go_before_renditions() {
        let (media, plan) = film(3840, 2160);
        let run = within(&media, plan.clone(), 8, 3 * GIB, 0);
        assert_eq!((run.threads, run.plan.rungs.len()), (1, plan.rungs.len()));
        let run = within(&media, plan, 8, GIB, 0);
        assert_eq!(run.threads, 1);
        assert!(!names(&run).is_empty() && !names(&run).contains(&"2160p"), "{:?}", names(&run));
        assert!(run.memory_bytes <= GIB && needed(&media, &run.plan, 1) <= GIB);
        assert!(run.plan.reasons.iter().any(|reason| reason.what == "no 2160p"));
    }

    #[test]
    fn each_death_costs_more_and_the_last_rung_stays() {
        let (media, plan) = film(1280, 720);
        let all: Vec<String> = plan.rungs.iter().map(|rung| rung.name.clone()).collect();
        for (deaths, expected) in [(1, &all[..]), (2, &all[1..]), (9, &all[all.len() - 1..])] {
            let run = within(&media, plan.clone(), 4, 2 * GIB, deaths);
            assert_eq!((run.threads, run.memory_bytes), (1, 2 * GIB), "{deaths}");
            assert_eq!(names(&run), expected, "{deaths}");
        }
    }
}
