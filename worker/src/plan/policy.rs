//! Config section `[ladder]`: what a deployment wants to be made of its sources.

use reelgate_common::config::list;
use serde::{Deserialize, Serialize};

/// Heights that a rung may have; above, decoders of common devices fail.
const RUNG_HEIGHTS: std::ops::RangeInclusive<u32> = 144..=4320;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LadderPolicy {
    /// Heights of the 16:9 boxes that rungs fit into, highest first. A list or a comma-separated text.
    #[serde(deserialize_with = "list")]
    pub rungs: Vec<u32>,
    /// x264's preset.
    pub preset: String,
    /// x264's constant rate factor.
    pub crf: u8,
    /// Bits per second of AAC-LC for up to two channels.
    pub audio_bitrate: u32,
    /// LUFS that every track is brought to (EBU R128); 0 leaves it as it is.
    pub loudness: i8,
    pub frame_rate: FrameRate,
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
            preset: "veryfast".to_owned(),
            crf: 23,
            audio_bitrate: 128_000,
            loudness: 0,
            frame_rate: FrameRate::Keep,
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
        if self.crf > 51 {
            return Err("ladder.crf must be at most 51".to_owned());
        }
        if !(32_000..=320_000).contains(&self.audio_bitrate) {
            return Err("ladder.audio_bitrate must be from 32000 to 320000".to_owned());
        }
        if self.loudness != 0 && !(-40..=-9).contains(&self.loudness) {
            return Err("ladder.loudness must be 0 (leave it) or from -40 to -9 LUFS".to_owned());
        }
        Ok(())
    }
}
