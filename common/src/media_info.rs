//! What the probe found in a source. Plain data; judgements about it (web-safe, segment-safe, ladder) live in the worker.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A probed source. Times are milliseconds of presentation, edit lists applied. Rows written by older builds lack the fields
/// that were added since, so each of those has a default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaInfo {
    /// libav's short name of the container, its first alternative (`mov`, `matroska`, `mpegts`).
    pub container: String,
    pub duration_ms: u64,
    /// Bits per second of the whole file.
    pub bitrate: u64,
    /// The video track that is shown; attached pictures never are.
    pub video: Option<VideoInfo>,
    pub audio: Vec<AudioInfo>,
    pub subtitles: Vec<SubtitleInfo>,
    #[serde(default)]
    #[schema(required)]
    pub chapters: Vec<ChapterInfo>,
    /// Whether `moov` lies before the media; `None` where there is no such box.
    #[serde(default)]
    pub moov_in_front: Option<bool>,
    /// Plays progressively in every browser as it is (design section 2).
    #[serde(default)]
    #[schema(required)]
    pub web_safe: bool,
    /// May be cut into HLS and DASH segments as it is (design section 2).
    #[serde(default)]
    #[schema(required)]
    pub segment_safe: bool,
    /// Why the source is not web-safe or not segment-safe; empty when it is both.
    #[serde(default)]
    #[schema(required)]
    pub reasons: Vec<Reason>,
    /// What is wrong with the source although something can be made of it.
    #[serde(default)]
    #[schema(required)]
    pub warnings: Vec<Reason>,
}

/// A fact that keeps a source from being used as it is, or that people should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// Stable, snake_case.
    pub code: String,
    /// One sentence for people.
    pub message: String,
}

/// What kind of high dynamic range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HdrKind {
    /// PQ (SMPTE ST 2084), with or without static metadata.
    Hdr10,
    Hlg,
    DolbyVision,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VideoInfo {
    /// Index of the stream in the container.
    pub stream: u32,
    /// libav's codec name (`h264`, `hevc`, `vp9`).
    pub codec: String,
    /// libav's number for the profile, and its name.
    pub profile: Option<i32>,
    pub profile_name: Option<String>,
    /// Codec level as libav gives it (H.264: 10 × the level).
    pub level: Option<i32>,
    /// Coded pixels before rotation and pixel aspect.
    pub coded_width: u32,
    pub coded_height: u32,
    /// Pixels as a viewer sees them: rotation and pixel aspect applied.
    pub width: u32,
    pub height: u32,
    /// Clockwise degrees the picture must be turned for display: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Whether the display matrix mirrors the picture.
    #[serde(default)]
    #[schema(required)]
    pub mirrored: bool,
    /// Pixel aspect as a fraction.
    pub sample_aspect: (u32, u32),
    /// Nominal frames per second as a fraction (`r_frame_rate`).
    pub frame_rate: (u32, u32),
    /// Average frames per second as a fraction.
    pub average_frame_rate: (u32, u32),
    /// Whether frames are shown for different times.
    #[serde(default)]
    #[schema(required)]
    pub variable_frame_rate: bool,
    pub pixel_format: String,
    pub bit_depth: u8,
    /// `4:2:0`, `4:2:2`, `4:4:4`, or `4:0:0`.
    pub chroma: String,
    pub interlaced: bool,
    /// `progressive`, or which field is coded and which is shown first (`tt`, `bb`, `tb`, `bt`); `None` when unknown.
    #[serde(default)]
    pub field_order: Option<String>,
    pub color_primaries: Option<String>,
    pub color_transfer: Option<String>,
    pub color_space: Option<String>,
    pub full_range: bool,
    /// `None`: standard dynamic range.
    #[serde(default)]
    pub hdr: Option<HdrKind>,
    /// As the container's configuration says it, e.g. 5, 7 or 8.
    #[serde(default)]
    pub dolby_vision_profile: Option<u8>,
    pub duration_ms: Option<u64>,
    pub bitrate: Option<u64>,
    /// Nothing that is known speaks against putting the packets into an MP4 that can be cut.
    #[serde(default)]
    #[schema(required)]
    pub copyable: bool,
}

impl Default for VideoInfo {
    /// Nothing known of a progressive 8-bit picture with square pixels.
    fn default() -> Self {
        Self {
            stream: 0,
            codec: String::new(),
            profile: None,
            profile_name: None,
            level: None,
            coded_width: 0,
            coded_height: 0,
            width: 0,
            height: 0,
            rotation: 0,
            mirrored: false,
            sample_aspect: (1, 1),
            frame_rate: (0, 1),
            average_frame_rate: (0, 1),
            variable_frame_rate: false,
            pixel_format: String::new(),
            bit_depth: 8,
            chroma: "4:2:0".to_owned(),
            interlaced: false,
            field_order: None,
            color_primaries: None,
            color_transfer: None,
            color_space: None,
            full_range: false,
            hdr: None,
            dolby_vision_profile: None,
            duration_ms: None,
            bitrate: None,
            copyable: false,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AudioInfo {
    pub stream: u32,
    pub codec: String,
    pub profile: Option<i32>,
    pub profile_name: Option<String>,
    pub sample_rate: u32,
    pub channels: u16,
    pub channel_layout: Option<String>,
    /// BCP 47 or ISO 639-2 as the container gives it; `None` for `und`.
    pub language: Option<String>,
    #[serde(default)]
    #[schema(required)]
    pub default: bool,
    pub duration_ms: Option<u64>,
    pub bitrate: Option<u64>,
    /// AAC-LC of one or two channels that can be cut as it is.
    #[serde(default)]
    #[schema(required)]
    pub copyable: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubtitleInfo {
    pub stream: u32,
    pub codec: String,
    pub language: Option<String>,
    /// Whether the track is text, so that it could become WebVTT.
    pub text: bool,
    #[serde(default)]
    #[schema(required)]
    pub default: bool,
    /// Shown also to those who want no subtitles: signs, foreign speech.
    #[serde(default)]
    #[schema(required)]
    pub forced: bool,
    #[serde(default)]
    pub duration_ms: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChapterInfo {
    pub start_ms: u64,
    pub end_ms: u64,
    pub title: Option<String>,
}
