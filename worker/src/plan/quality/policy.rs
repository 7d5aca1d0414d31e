//! Config section `[quality]`: whether a film's own pictures decide how it is encoded, and what is good enough.

use serde::{Deserialize, Serialize};

/// What x264 calls visually lossless, and what nobody wants to look at.
const FACTORS: std::ops::RangeInclusive<u8> = 10..=45;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityPolicy {
    pub enabled: bool,
    /// Likeness that each rung is to reach at its own size (SSIM over all planes, below 1).
    pub ssim: f64,
    /// A rung that looks better than the next smaller one by less than this, both at the largest rung's size, is left out.
    pub min_gain: f64,
    /// No rung gets a lower or a higher constant rate factor, on the scale of `ladder.crf`.
    pub lowest_crf: u8,
    pub highest_crf: u8,
    /// Stretches of the film that are encoded on trial, at most, and how long each is.
    pub samples: u32,
    pub sample_seconds: u32,
    /// Shorter films are encoded as `[ladder]` says: a search would cost more than it saves.
    pub min_seconds: u32,
}

impl Default for QualityPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            ssim: 0.98,
            min_gain: 0.003,
            lowest_crf: 18,
            highest_crf: 32,
            samples: 8,
            sample_seconds: 2,
            min_seconds: 30,
        }
    }
}

impl QualityPolicy {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if !(0.5..1.0).contains(&self.ssim) {
            return Err("quality.ssim must be at least 0.5 and below 1".to_owned());
        }
        if !(0.0..0.5).contains(&self.min_gain) {
            return Err("quality.min_gain must be from 0 to below 0.5".to_owned());
        }
        if !FACTORS.contains(&self.lowest_crf) {
            return Err("quality.lowest_crf must be from 10 to 45".to_owned());
        }
        if !FACTORS.contains(&self.highest_crf) || self.highest_crf < self.lowest_crf {
            return Err("quality.highest_crf must be from quality.lowest_crf to 45".to_owned());
        }
        if !(1..=60).contains(&self.samples) {
            return Err("quality.samples must be from 1 to 60".to_owned());
        }
        if !(1..=10).contains(&self.sample_seconds) {
            return Err("quality.sample_seconds must be from 1 to 10".to_owned());
        }
        if self.min_seconds < self.sample_seconds {
            return Err("quality.min_seconds must be at least quality.sample_seconds".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_work_and_are_off() {
        let policy = QualityPolicy::default();
        policy.validate().unwrap();
        assert!(!policy.enabled);
    }

    #[test]
    fn values_that_cannot_work_are_named() {
        let refused = |change: fn(&mut QualityPolicy)| {
            let mut policy = QualityPolicy::default();
            change(&mut policy);
            policy.validate().unwrap_err()
        };
        assert!(refused(|policy| policy.ssim = 1.0).contains("quality.ssim"));
        assert!(refused(|policy| policy.ssim = f64::NAN).contains("quality.ssim"));
        assert!(refused(|policy| policy.min_gain = -0.1).contains("quality.min_gain"));
        assert!(refused(|policy| policy.lowest_crf = 5).contains("quality.lowest_crf"));
        assert!(refused(|policy| policy.highest_crf = 17).contains("quality.highest_crf"));
        assert!(refused(|policy| policy.samples = 0).contains("quality.samples"));
        assert!(refused(|policy| policy.sample_seconds = 11).contains("quality.sample_seconds"));
        assert!(refused(|policy| policy.min_seconds = 1).contains("quality.min_seconds"));
    }
}
