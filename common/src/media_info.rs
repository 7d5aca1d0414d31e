//! What the probe found in a source. Plain data; judgements about it (web-safe, segment-safe, ladder) live in the worker.

use serde::{Deserialize, Serialize};

/// A probed source. Times are milliseconds of presentation, edit lists applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Plays progressively in every browser as it is (design section 2).
    #[serde(default)]
    pub web_safe: bool,
    /// May be cut into HLS and DASH segments as it is (design section 2).
    #[serde(default)]
    pub segment_safe: bool,
    /// Why the source is not web-safe or not segment-safe; empty when it is both.
    #[serde(default)]
    pub reasons: Vec<Reason>,
}

/// A fact that keeps a source from being used as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable, snake_case.
    pub code: String,
    /// One sentence for people.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pub mirrored: bool,
    /// Pixel aspect as a fraction.
    pub sample_aspect: (u32, u32),
    /// Nominal frames per second as a fraction (`r_frame_rate`).
    pub frame_rate: (u32, u32),
    /// Average frames per second as a fraction.
    pub average_frame_rate: (u32, u32),
    pub pixel_format: String,
    pub bit_depth: u8,
    /// `4:2:0`, `4:2:2`, `4:4:4`, or `4:0:0`.
    pub chroma: String,
    pub interlaced: bool,
    pub color_primaries: Option<String>,
    pub color_transfer: Option<String>,
    pub color_space: Option<String>,
    pub full_range: bool,
    pub duration_ms: Option<u64>,
    pub bitrate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pub default: bool,
    pub duration_ms: Option<u64>,
    pub bitrate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtitleInfo {
    pub stream: u32,
    pub codec: String,
    pub language: Option<String>,
    /// Whether the track is text, so that it could become WebVTT.
    pub text: bool,
}
