//! What of a plan is made at once, and what only when its file has been watched. Pure.

use reelgate_common::earned::{EarnedPolicy, Level};
use serde::{Deserialize, Serialize};

use super::{Choice, Extras, Plan, Rung, VideoStep, is_small};

/// A rung that is held back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarnedRung {
    #[serde(flatten)]
    pub rung: Rung,
    pub level: Level,
}

impl Plan {
    /// Holds back what the policy has to be earned. What is copied or served is made at once, and always something that plays everywhere.
    #[must_use]
    pub fn earning(mut self, policy: &EarnedPolicy) -> Self {
        if !policy.enabled {
            return self;
        }
        let start = start(&self, policy);
        let (made, earned) = self.rungs.into_iter().partition(|rung| start.contains(&rung.name));
        self.rungs = made;
        self.earned = earned.into_iter().map(EarnedRung::of).collect();
        let reasons = self.earned.iter().map(|earned| {
            let times = policy.views_for(earned.level);
            Choice::new(format!("{} later", earned.rung.name), format!("when it has been watched {times} times"))
        });
        self.reasons.extend(reasons);
        self.begin_small();
        self
    }

    /// Where one small rung was to be made before the rest, it is one of those that are made.
    fn begin_small(&mut self) {
        let Some(planned) = self.first.take() else { return };
        let small = self.rungs.iter().find(|rung| is_small(rung)).filter(|_| self.rungs.len() > 1);
        self.first = small.map(|rung| rung.name.clone());
        let said = |name: &str| format!("{name} first, alone");
        match &self.first {
            Some(first) => {
                let choice = self.reasons.iter_mut().find(|choice| choice.what == said(&planned));
                choice.into_iter().for_each(|choice| choice.what = said(first));
            }
            None => self.reasons.retain(|choice| choice.what != said(&planned)),
        }
    }

    /// Of what is held back these, to be made by themselves.
    #[must_use]
    pub fn earned_now(&self, wanted: &[String]) -> Self {
        let wanted = self.earned.iter().filter(|earned| wanted.contains(&earned.rung.name));
        let rungs: Vec<Rung> = wanted.map(|earned| earned.rung.clone()).collect();
        let reasons =
            rungs.iter().map(|rung| Choice::new(&rung.name, "the file has been watched often enough")).collect();
        let mut audio = self.audio.clone();
        audio.retain(|step| !step.alone);
        let (extras, first, earned) = (Extras::default(), None, Vec::new());
        Self { rungs, audio, extras, first, earned, reasons, ..self.clone() }
    }
}

impl EarnedRung {
    fn of(rung: Rung) -> Self {
        let level = if rung.is_h264() { Level::Rung } else { Level::Codec };
        Self { rung, level }
    }
}

/// Names of the rungs that are made at once: what is copied, and for each height of the policy the highest rung that is no higher.
fn start(plan: &Plan, policy: &EarnedPolicy) -> Vec<String> {
    let copied = plan.rungs.iter().filter(|rung| rung.video == VideoStep::Copy);
    let encoded: Vec<&Rung> =
        plan.rungs.iter().filter(|rung| rung.is_h264() && rung.video != VideoStep::Copy).collect();
    let within =
        |lines: &u32| encoded.iter().copied().filter(|rung| class(rung) <= *lines).max_by_key(|rung| class(rung));
    let mut start: Vec<&Rung> = copied.chain(policy.start_rungs.iter().filter_map(within)).collect();
    if start.is_empty() && !plan.serve_source {
        start.extend(encoded.iter().copied().min_by_key(|rung| class(rung)));
    }
    start.into_iter().map(|rung| rung.name.clone()).collect()
}

/// The height that a rung is called after; its own may be less, as of a film in cinema's shape.
fn class(rung: &Rung) -> u32 {
    rung.name.strip_suffix('p').and_then(|lines| lines.parse().ok()).unwrap_or(rung.height)
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        grid::SegmentGrid,
        media_info::{MediaInfo, VideoInfo},
    };

    use super::*;
    use crate::plan::{LadderPolicy, VideoCodec, plan};

    fn policy(start: &[u32]) -> EarnedPolicy {
        EarnedPolicy { enabled: true, start_rungs: start.to_vec(), ..EarnedPolicy::default() }
    }

    fn of(width: u32, height: u32, policy: &EarnedPolicy, change: impl FnOnce(&mut MediaInfo)) -> Plan {
        let video = VideoInfo { width, height, ..VideoInfo::default() };
        let mut media = MediaInfo { duration_ms: 200_000, video: Some(video), ..MediaInfo::default() };
        change(&mut media);
        let ladder = LadderPolicy { codecs: vec![VideoCodec::Av1], ..LadderPolicy::default() };
        plan(&media, SegmentGrid::Regular { period_ms: 2_000 }, &ladder).earning(policy)
    }

    fn made(plan: &Plan) -> Vec<&str> {
        plan.rungs.iter().map(|rung| rung.name.as_str()).collect()
    }

    fn earned(plan: &Plan, level: Level) -> Vec<&str> {
        plan.earned.iter().filter(|earned| earned.level == level).map(|earned| earned.rung.name.as_str()).collect()
    }

    #[test]
    fn what_is_held_back_says_what_it_waits_for() {
        let plan = of(1920, 1080, &policy(&[720, 360]), |_| ());
        assert_eq!(made(&plan), ["720p", "360p"]);
        assert_eq!(earned(&plan, Level::Rung), ["1080p", "480p"]);
        assert_eq!(earned(&plan, Level::Codec), ["1080p-av1", "720p-av1", "480p-av1", "360p-av1"]);
        let why = |what: &str| plan.reasons.iter().find(|choice| choice.what == what).unwrap().why.clone();
        assert_eq!(why("1080p later"), "when it has been watched 3 times");
        assert_eq!(why("720p-av1 later"), "when it has been watched 50 times");
    }

    #[test]
    fn a_height_that_the_film_does_not_have_is_the_next_below() {
        assert_eq!(made(&of(704, 400, &policy(&[720]), |_| ())), ["400p"]);
        assert_eq!(made(&of(1920, 804, &policy(&[480]), |_| ())), ["480p"], "in cinema's shape it has 358 lines");
    }

    #[test]
    fn there_is_always_something_that_plays_everywhere() {
        assert_eq!(made(&of(1920, 1080, &policy(&[]), |_| ())), ["360p"]);
        let served = of(1920, 1080, &policy(&[]), |media| (media.web_safe, media.segment_safe) = (true, true));
        assert!(made(&served).is_empty() && served.serve_source);
        let copied = of(1920, 1080, &policy(&[]), |media| media.video.as_mut().unwrap().copyable = true);
        assert_eq!(made(&copied), ["1080p"]);
    }

    #[test]
    fn the_first_rung_is_one_that_is_made() {
        let small = of(1920, 1080, &policy(&[720, 360]), |_| ());
        assert_eq!(small.first.as_deref(), Some("360p"), "480p is not made");
        assert!(small.reasons.iter().any(|choice| choice.what == "360p first, alone"), "{:?}", small.reasons);
        assert_eq!(of(1920, 1080, &policy(&[720, 480]), |_| ()).first.as_deref(), Some("480p"));
        assert_eq!(of(1920, 1080, &policy(&[480]), |_| ()).first, None, "it is the only one");
    }

    #[test]
    fn without_the_policy_nothing_is_held_back() {
        let off = EarnedPolicy { enabled: false, ..policy(&[360]) };
        let plan = of(1920, 1080, &off, |_| ());
        assert_eq!((plan.rungs.len(), plan.earned.len()), (8, 0));
        assert!(!serde_json::to_value(&plan).unwrap().as_object().unwrap().contains_key("earned"));
    }

    #[test]
    fn what_was_earned_is_made_by_itself_and_the_gateway_reads_what_is_promised() {
        let whole = of(1920, 1080, &policy(&[720, 360]), |_| ());
        let now = whole.earned_now(&["1080p".to_owned(), "240p".to_owned()]);
        assert_eq!((made(&now), now.earned.len(), &now.extras), (vec!["1080p"], 0, &Extras::default()));
        let promised = reelgate_common::earned::promised(&serde_json::to_value(&whole).unwrap());
        let named: Vec<_> = promised.iter().map(|it| (it.name.as_str(), it.level)).collect();
        assert_eq!(named[..2], [("1080p", Level::Rung), ("1080p-av1", Level::Codec)]);
        let again: Plan = serde_json::from_value(serde_json::to_value(&whole).unwrap()).unwrap();
        assert_eq!(again, whole);
    }
}
