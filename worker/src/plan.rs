//! What to make of a source: a pure function of the probe and the policy. Each choice carries its reason; the plan is
//! stored with the job as it is.

use reelgate_common::{grid::SegmentGrid, media_info::MediaInfo};
use serde::{Deserialize, Serialize};

/// Everything one generation of a file shall have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Serve the source progressively as it is (it is web-safe): published before anything is encoded.
    pub serve_source: bool,
    /// Highest first. Empty for sources without video.
    pub rungs: Vec<Rung>,
    /// For sources without video.
    pub audio: Option<AudioRendition>,
    pub poster: bool,
    pub grid: SegmentGrid,
    pub reasons: Vec<Choice>,
}

/// One planned video rendition: H.264 High and AAC-LC in an MP4 with `moov` in front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// `720p`; its object is `720p.mp4`.
    pub name: String,
    /// Even, square pixels, rotation applied.
    pub width: u32,
    pub height: u32,
    pub crf: u8,
    pub preset: String,
    /// Audio bits per second; `None` when the source has no audio.
    pub audio_bitrate: Option<u32>,
}

/// An audio-only rendition; its object is `audio.m4a`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioRendition {
    pub bitrate: u32,
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub what: String,
    pub why: String,
}

/// Config section `[ladder]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LadderPolicy {
    /// Heights of the 16:9 boxes that rungs fit into, highest first.
    pub rungs: Vec<u32>,
    /// x264's preset.
    pub preset: String,
    /// x264's constant rate factor.
    pub crf: u8,
    /// Bits per second of AAC-LC for up to two channels.
    pub audio_bitrate: u32,
}

impl Default for LadderPolicy {
    fn default() -> Self {
        Self {
            rungs: vec![2160, 1440, 1080, 720, 480, 360],
            preset: "veryfast".to_owned(),
            crf: 23,
            audio_bitrate: 128_000,
        }
    }
}

/// Makes the plan. `grid` is the source's own when it is segment-safe.
#[must_use]
pub fn plan(_media: &MediaInfo, _grid: SegmentGrid, _policy: &LadderPolicy) -> Plan {
    todo!()
}
