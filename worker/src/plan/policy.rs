//! Config section `[ladder]`: what a deployment wants to be made of its sources.

use reelgate_common::config::list;
use serde::{Deserialize, Serialize};

use super::VideoCodec;

/// Heights that a rung may have; above, decoders of common devices fail.
const RUNG_HEIGHTS: std::ops::RangeInclusive<u32> = 144..=4320;
/// Pixels of the size that both bit rates are stated for.
const FULL_HD: u64 = 1920 * 1080;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LadderPolicy {
    /// Heights of the 16:9 boxes that rungs fit into, highest first. A list or a comma-separated text.
    #[serde(deserialize_with = "list")]
    pub rungs: Vec<u32>,
    /// Codecs that each rung is made in besides H.264, where libav has an encoder. A list or a comma-separated text.
    #[serde(deserialize_with = "list")]
    pub codecs: Vec<VideoCodec>,
    /// x264's preset.
    pub preset: String,
    /// x264's constant rate factor.
    pub crf: u8,
    /// Bits per second that a rung of 1080p never exceeds for more than a moment; smaller ones get less. 0: any rate.
    pub max_bitrate: u32,
    /// Bits per second of AAC-LC for up to two channels.
    pub audio_bitrate: u32,
    /// Bits per second at 1080p, scaled by pixels: a source above is not what plays by default once a rung exists.
    pub max_source_bitrate: u64,
    /// LUFS that every track is brought to (EBU R128); 0 leaves it as it is.
    pub loudness: i8,
    pub frame_rate: FrameRate,
    pub storyboard: bool,
    pub preview: bool,
    /// Of sources without video.
    pub waveform: bool,
    /// Text subtitles inside a source become WebVTT.
    pub captions: bool,
}

/// What becomes of a variable frame rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameRate {
    /// Every picture keeps its time.
    #[default]
    Keep,
    /// Pictures are repeated and left out so that they come at one rate.
    Constant,
}

impl Default for LadderPolicy {
    fn default() -> Self {
        Self {
            rungs: vec![2160, 1440, 1080, 720, 480, 360],
            codecs: Vec::new(),
            preset: "veryfast".to_owned(),
            crf: 23,
            max_bitrate: 8_000_000,
            audio_bitrate: 128_000,
            loudness: 0,
            frame_rate: FrameRate::Keep,
            max_source_bitrate: 12_000_000,
            storyboard: true,
            preview: true,
            waveform: true,
            captions: true,
        }
    }
}

impl LadderPolicy {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.rungs.is_empty() || !self.rungs.is_sorted_by(|higher, lower| higher > lower) {
            return Err("ladder.rungs must list at least one height, highest first, none twice".to_owned());
        }
        if let Some(height) = self.rungs.iter().find(|height| !RUNG_HEIGHTS.contains(height) || *height % 2 == 1) {
            return Err(format!("ladder.rungs: {height} is not an even height from 144 to 4320"));
        }
        if self.codecs.iter().enumerate().any(|(at, codec)| self.codecs[..at].contains(codec)) {
            return Err("ladder.codecs must list no codec twice".to_owned());
        }
        if self.crf > 51 {
            return Err("ladder.crf must be at most 51".to_owned());
        }
        if !(32_000..=320_000).contains(&self.audio_bitrate) {
            return Err("ladder.audio_bitrate must be from 32000 to 320000".to_owned());
        }
        if self.loudness != 0 && !(-40..=-9).contains(&self.loudness) {
            return Err("ladder.loudness must be 0 (leave it) or from -40 to -9 LUFS".to_owned());
        }
        if (1..200_000).contains(&self.max_bitrate) {
            return Err("ladder.max_bitrate must be 0 or at least 200000".to_owned());
        }
        if self.max_source_bitrate == 0 {
            return Err("ladder.max_source_bitrate must be above 0".to_owned());
        }
        Ok(())
    }

    /// The cap of a rung. Small pictures need more bits for a pixel, so it falls slower than the number of pixels: with
    /// its power of three quarters, in whole kilobits.
    pub(super) fn cap(&self, width: u32, height: u32) -> Option<u32> {
        let share = (f64::from(width) * f64::from(height) / FULL_HD as f64).powf(0.75);
        let kilobits = (f64::from(self.max_bitrate) * share / 1_000.0).round();
        (self.max_bitrate > 0).then_some((kilobits.max(100.0) as u32).saturating_mul(1_000))
    }

    /// What a source of this size may take and still be what plays by default.
    pub(super) fn source_limit(&self, width: u32, height: u32) -> u64 {
        let scaled = u128::from(self.max_source_bitrate) * u128::from(width) * u128::from(height) / u128::from(FULL_HD);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_fall_slower_than_pixels_and_limits_with_them() {
        let policy = LadderPolicy::default();
        assert_eq!(policy.cap(1920, 1080), Some(8_000_000));
        assert_eq!(policy.cap(640, 360), Some(1_540_000));
        assert_eq!(policy.cap(3840, 2160), Some(22_627_000));
        assert_eq!(LadderPolicy { max_bitrate: 0, ..policy.clone() }.cap(1920, 1080), None);
        assert_eq!(policy.source_limit(1920, 1080), 12_000_000);
        assert_eq!(policy.source_limit(1280, 720), 5_333_333);
    }

    #[test]
    fn codecs_may_be_written_as_one_text_as_the_environment_has_them() {
        let codecs = |given: serde_json::Value| {
            serde_json::from_value::<LadderPolicy>(serde_json::json!({ "codecs": given })).map(|policy| policy.codecs)
        };
        let both = [VideoCodec::Hevc, VideoCodec::Av1];
        assert_eq!(codecs(serde_json::json!("hevc, av1")).unwrap(), both);
        assert_eq!(codecs(serde_json::json!(["hevc", "av1"])).unwrap(), both);
        assert_eq!(codecs(serde_json::json!("vp9")).unwrap(), [VideoCodec::Vp9]);
        assert!(codecs(serde_json::json!("hevc,divx")).unwrap_err().to_string().contains("divx"));
    }

    #[test]
    fn values_that_cannot_work_are_named() {
        let refused = |change: fn(&mut LadderPolicy)| {
            let mut policy = LadderPolicy::default();
            change(&mut policy);
            policy.validate().unwrap_err()
        };
        assert!(refused(|p| p.codecs = vec![VideoCodec::Av1, VideoCodec::Av1]).contains("ladder.codecs"));
        assert!(refused(|p| p.max_bitrate = 1).contains("ladder.max_bitrate"));
        assert!(refused(|p| p.max_source_bitrate = 0).contains("ladder.max_source_bitrate"));
    }
}
