//! What to make of a source: a pure function of the probe and the policy. Each choice carries its reason; the plan is
//! stored with the job as it is.

mod ladder;

use reelgate_common::{
    grid::SegmentGrid,
    media_info::{AudioInfo, MediaInfo},
};
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
pub fn plan(media: &MediaInfo, grid: SegmentGrid, policy: &LadderPolicy) -> Plan {
    let mut reasons = vec![serve_choice(media)];
    let rungs = media.video.as_ref().map_or_else(Vec::new, |video| ladder::rungs(media, video, policy, &mut reasons));
    let audio = audio_rendition(media, policy, &mut reasons);
    let poster = media.video.is_some();
    if poster {
        reasons.push(Choice::new("poster", "the source has video"));
    }
    Plan { serve_source: media.web_safe, rungs, audio, poster, grid, reasons }
}

fn serve_choice(media: &MediaInfo) -> Choice {
    match media.reasons.first() {
        _ if media.web_safe => Choice::new("serve the source", "every browser plays it as it is"),
        Some(reason) => Choice::new("do not serve the source", &reason.message),
        None => Choice::new("do not serve the source", "it is not web-safe"),
    }
}

fn audio_rendition(media: &MediaInfo, policy: &LadderPolicy, reasons: &mut Vec<Choice>) -> Option<AudioRendition> {
    if media.video.is_some() || media.audio.is_empty() {
        return None;
    }
    reasons.push(Choice::new("audio", "the source has audio and no video"));
    Some(AudioRendition { bitrate: audio_bitrate(media, policy)? })
}

/// The policy's figure is for two channels; one needs half. `None` without audio.
fn audio_bitrate(media: &MediaInfo, policy: &LadderPolicy) -> Option<u32> {
    let track = chosen_audio(media)?;
    Some(if track.channels == 1 { policy.audio_bitrate / 2 } else { policy.audio_bitrate })
}

/// The audio track that is heard: the default one, else the first.
#[must_use]
pub fn chosen_audio(media: &MediaInfo) -> Option<&AudioInfo> {
    media.audio.iter().find(|track| track.default).or_else(|| media.audio.first())
}

impl Choice {
    fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}
