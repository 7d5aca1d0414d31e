//! Whether a film is encoded in parts, by how much there is to encode and who is there to do it. Pure. Where it can be cut is the
//! index's matter (`reelgate_packager::package::chunks`).

use reelgate_common::media_info::MediaInfo;
use reelgate_packager::package::Chunk;
use serde::{Deserialize, Serialize};

use super::{Choice, Plan, Rung, VideoStep};

/// Config section `[split]`: which films are encoded in parts, by all workers together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitPolicy {
    pub enabled: bool,
    /// Thousands of millions of pixels, all rungs and all pictures together, from which on it is worth the while. Two minutes of 1080p
    /// at 30 frames a second have 13.
    pub min_gigapixels: u32,
    /// Seconds that no part is longer than, where the film's key frames allow.
    pub chunk_seconds: u32,
    /// Jobs that living workers must be able to run at once, in the lane of parts. None where parts call for workers.
    pub min_slots: u32,
}

impl Default for SplitPolicy {
    fn default() -> Self {
        Self { enabled: true, min_gigapixels: 12, chunk_seconds: 10, min_slots: 2 }
    }
}

impl SplitPolicy {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if !(2..=60).contains(&self.chunk_seconds) {
            return Err("split.chunk_seconds must be from 2 to 60".to_owned());
        }
        Ok(())
    }
}

/// How a film is encoded in parts. Written down with its job, so that all its attempts and all its parts mean the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one exists at a time")]
pub enum Splitting {
    Parts(Split),
    /// It was tried, and the film is made whole.
    GivenUp {
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// What is made in parts: rungs that are encoded, and nothing else.
    pub plan: Plan,
    pub chunks: Vec<Chunk>,
    /// Ticks per second of the chunks' times.
    pub timescale: u32,
    pub source: CutSource,
}

/// What is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cut", rename_all = "snake_case")]
pub enum CutSource {
    /// What was uploaded: it has an index.
    Upload,
    /// An MP4 with the same pictures, made by an attempt: the copied rung, or one that is made for this alone.
    Output { attempt: i64, name: String, size: u64 },
}

impl CutSource {
    /// The film as whoever decodes it finds it: an MP4 of ours has one track of pictures, and begins at zero.
    #[must_use]
    pub fn seen(&self, media: &MediaInfo) -> MediaInfo {
        let mut media = media.clone();
        if let Self::Output { .. } = self {
            media.video.iter_mut().for_each(|video| video.stream = 0);
            (media.container, media.segment_safe) = ("mov".to_owned(), true);
            media.audio.clear();
        }
        media
    }
}

/// Whether the rungs of `plan` are to be made in parts, while `slots` jobs can run at once.
///
/// # Errors
/// Why not.
pub fn wants_parts(media: &MediaInfo, plan: &Plan, policy: &SplitPolicy, slots: u64) -> Result<(), String> {
    let Some(video) = &media.video else { return Err("it has no pictures".to_owned()) };
    if !policy.enabled {
        return Err("split.enabled is off".to_owned());
    }
    if slots < u64::from(policy.min_slots) {
        return Err(format!("workers can run {slots} jobs at once, less than {}", policy.min_slots));
    }
    if plan.constant_rate.is_some() {
        return Err("its pictures are brought to a constant rate".to_owned());
    }
    let (num, den) = if video.average_frame_rate.0 > 0 { video.average_frame_rate } else { video.frame_rate };
    let pictures = f64::from(num) / f64::from(den.max(1)) * media.duration_ms as f64 / 1_000.0;
    let gigapixels = pictures * pixels(plan) / 1e9;
    if gigapixels < f64::from(policy.min_gigapixels) {
        return Err(format!("its rungs have {gigapixels:.1} gigapixels, less than {}", policy.min_gigapixels));
    }
    Ok(())
}

/// Of one picture in all rungs that are encoded.
fn pixels(plan: &Plan) -> f64 {
    let encoded = plan.rungs.iter().filter(|rung| is_encoded(rung));
    encoded.map(|rung| f64::from(rung.width) * f64::from(rung.height)).sum()
}

fn is_encoded(rung: &Rung) -> bool {
    matches!(rung.video, VideoStep::Encode { .. })
}

/// Divides what is to be made: what parts are made of, and what the film's own job makes beside them, the rung among it that comes
/// first.
#[must_use]
pub fn divided(plan: &Plan) -> (Plan, Plan) {
    let alone = plan.first.as_ref().filter(|_| plan.rungs.len() > 1);
    let own = |rung: &Rung| !is_encoded(rung) || Some(&rung.name) == alone;
    let (own_rungs, rungs) = plan.rungs.iter().cloned().partition(own);
    let (earned, extras) = (Vec::new(), super::Extras::default());
    let parts = Plan { rungs, earned, audio: Vec::new(), first: None, extras, ..plan.clone() };
    (parts, Plan { rungs: own_rungs, ..plan.clone() })
}

/// For the plan as people see it.
#[must_use]
pub(crate) fn explained(split: &Result<Split, String>) -> Choice {
    match split {
        Ok(split) => {
            let names: Vec<&str> = split.plan.rungs.iter().map(|rung| rung.name.as_str()).collect();
            let what = format!("{} in {} parts", names.join(", "), split.chunks.len());
            Choice::new(what, "there is much to encode, and workers to share it")
        }
        Err(why) => Choice::new("not in parts", why),
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::{grid::SegmentGrid, media_info::VideoInfo};

    use super::*;
    use crate::plan::{Extras, FrameRate, LadderPolicy, plan};

    fn film(seconds: u64, policy: &LadderPolicy) -> (MediaInfo, Plan) {
        let video = VideoInfo {
            width: 1920,
            height: 1080,
            average_frame_rate: (30, 1),
            variable_frame_rate: true,
            ..VideoInfo::default()
        };
        let media = MediaInfo { video: Some(video), duration_ms: seconds * 1_000, ..MediaInfo::default() };
        let plan = plan(&media, SegmentGrid::Regular { period_ms: 2_000 }, policy);
        (media, plan)
    }

    fn answer(seconds: u64, slots: u64, change: impl FnOnce(&mut SplitPolicy)) -> Result<(), String> {
        let (media, plan) = film(seconds, &LadderPolicy::default());
        let mut policy = SplitPolicy::default();
        change(&mut policy);
        wants_parts(&media, &plan, &policy, slots)
    }

    #[test]
    fn length_size_and_workers_decide() {
        assert_eq!(answer(120, 2, |_| ()), Ok(()));
        assert!(answer(100, 2, |_| ()).unwrap_err().contains("gigapixels"));
        assert!(answer(7_200, 1, |_| ()).unwrap_err().contains("1 jobs at once"));
        assert_eq!(answer(120, 1, |policy| policy.min_slots = 1), Ok(()));
        assert_eq!(answer(120, 0, |policy| policy.min_slots = 0), Ok(()), "the parts call for workers");
        assert!(answer(7_200, 9, |policy| policy.enabled = false).is_err());
        let constant = LadderPolicy { frame_rate: FrameRate::Constant, ..LadderPolicy::default() };
        let (media, plan) = film(7_200, &constant);
        assert!(wants_parts(&media, &plan, &SplitPolicy::default(), 9).unwrap_err().contains("constant"));
    }

    #[test]
    fn the_first_rung_stays_with_the_films_own_job() {
        let names = |plan: &Plan| plan.rungs.iter().map(|rung| rung.name.clone()).collect::<Vec<_>>();
        let (_, whole) = film(600, &LadderPolicy::default());
        assert_eq!(whole.first.as_deref(), Some("480p"));
        let (parts, own) = divided(&whole);
        assert_eq!(
            (names(&parts), names(&own)),
            (vec!["1080p".into(), "720p".into(), "360p".into()], vec!["480p".to_owned()])
        );
        assert!(parts.audio.is_empty() && parts.extras == Extras::default() && own.extras == whole.extras);
        let (parts, own) = divided(&Plan { first: None, ..whole });
        assert_eq!((parts.rungs.len(), own.rungs.len()), (4, 0));
    }

    #[test]
    fn policies_that_cannot_work_are_named() {
        let refused = |change: fn(&mut SplitPolicy)| {
            let mut policy = SplitPolicy::default();
            change(&mut policy);
            policy.validate().unwrap_err()
        };
        assert!(refused(|policy| policy.chunk_seconds = 1).contains("split.chunk_seconds"));
        assert!(refused(|policy| policy.chunk_seconds = 61).contains("split.chunk_seconds"));
    }
}
