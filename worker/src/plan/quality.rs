//! A ladder by quality: of each film a few seconds are encoded with several qualities, held against its pictures, and each rung
//! gets the fewest bytes that look good enough. Rungs that gain or save nothing are left out. Pure; who measures is `process::quality`.

mod policy;
mod search;
mod stretches;
mod worth;

use reelgate_common::media_info::MediaInfo;
use serde::{Deserialize, Serialize};

use super::{Extras, Plan, Rung, VideoCodec, VideoStep, first};

pub use self::{policy::QualityPolicy, stretches::Stretch};
pub(crate) use self::{
    search::{Measured, Search},
    stretches::stretches,
};

/// What was found. Kept with the plan, so that later attempts and all parts of a film mean the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// How pictures are compared: `ssim`, from 0 to 1.
    pub metric: Metric,
    /// What each rung is to reach, held against the film's pictures at its own size.
    pub target: f64,
    /// Film that each point was measured on.
    pub sampled_ms: u64,
    /// In the order of the plan's rungs.
    pub curves: Vec<Curve>,
}

/// All planes, weighted by their pixels, averaged over pictures: libavfilter's `ssim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    Ssim,
}

/// What one rung looks like and takes, by its constant rate factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub name: String,
    pub codec: VideoCodec,
    pub height: u32,
    /// By ascending factor.
    pub points: Vec<Point>,
    /// What was chosen; one of the points.
    pub crf: u8,
    /// The policy's, as without a search; one of the points.
    pub usual_crf: u8,
    /// Why there is no such rung.
    pub dropped: Option<String>,
    /// By how much the whole film's pictures are expected to be smaller than with `usual_crf`, out of what was measured; below zero
    /// where the quality wanted costs more. Of a dropped rung all that it would have taken.
    pub saved_bytes: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// On the scale of `ladder.crf`.
    pub crf: u8,
    /// Likeness at the rung's own size.
    pub own: f64,
    /// Likeness at the size of the largest rung, as on a large screen.
    pub shown: f64,
    /// Bits per second, pictures alone.
    pub bitrate: u64,
}

impl Curve {
    fn point(&self, crf: u8) -> Option<&Point> {
        self.points.iter().find(|point| point.crf == crf)
    }

    fn chosen(&self) -> Option<&Point> {
        self.point(self.crf)
    }

    fn usual(&self) -> Option<&Point> {
        self.point(self.usual_crf)
    }
}

impl Plan {
    /// These rungs with these factors, pictures alone.
    pub(crate) fn on_trial(&self, wanted: &[(String, u8)]) -> Self {
        let tried = |rung: &Rung| {
            let (_, tried) = wanted.iter().find(|(name, _)| *name == rung.name)?;
            let mut rung = Rung { audio: false, ..rung.clone() };
            if let VideoStep::Encode { crf, .. } = &mut rung.video {
                *crf = *tried;
            }
            Some(rung)
        };
        let rungs = self.rungs.iter().filter_map(tried).collect();
        Self { rungs, audio: Vec::new(), first: None, extras: Extras::default(), reasons: Vec::new(), ..self.clone() }
    }

    /// Makes the ladder what was found, with reasons.
    pub(crate) fn adopt(&mut self, media: &MediaInfo, quality: &Quality) {
        for curve in &quality.curves {
            if let Some(why) = &curve.dropped {
                self.rungs.retain(|rung| rung.name != curve.name);
                self.explain(format!("no {}", curve.name), why);
                continue;
            }
            let Some(rung) = self.rungs.iter_mut().find(|rung| rung.name == curve.name) else { continue };
            let VideoStep::Encode { crf, .. } = &mut rung.video else { continue };
            *crf = curve.crf;
            self.explain(format!("{} with factor {}", curve.name, curve.crf), reached(curve, quality.target));
        }
        if self.first.as_ref().is_some_and(|name| self.rungs.iter().all(|rung| rung.name != *name)) {
            self.first = first(media, &self.rungs, &mut self.reasons);
        }
        self.quality = Some(quality.clone());
    }
}

fn reached(curve: &Curve, target: f64) -> String {
    let Some(point) = curve.chosen() else { return "nothing was measured".to_owned() };
    let (own, usual) = (point.own, curve.usual_crf);
    if own >= target {
        format!(
            "it looks like its film by {own:.4} of {target} wanted; factor {usual} is what it would have without a search"
        )
    } else {
        format!("it looks like its film by {own:.4}, and {target} is not within the policy's bounds")
    }
}

/// Whether it is worth a search.
///
/// # Errors
/// Why not.
pub(crate) fn wants_search(media: &MediaInfo, missing: &Plan, policy: &QualityPolicy) -> Result<(), String> {
    if !policy.enabled {
        return Err("quality.enabled is off".to_owned());
    }
    if !missing.rungs.iter().any(|rung| matches!(rung.video, VideoStep::Encode { .. })) {
        return Err("nothing is encoded".to_owned());
    }
    if missing.constant_rate.is_some() {
        return Err("its pictures are brought to a constant rate".to_owned());
    }
    let seconds = media.duration_ms / 1_000;
    if seconds < u64::from(policy.min_seconds) {
        return Err(format!("it lasts {seconds} s, less than {}", policy.min_seconds));
    }
    Ok(())
}
