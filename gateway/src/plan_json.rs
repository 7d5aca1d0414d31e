//! What was decided about a file, as its job explains it. The worker stores its plan and the gateway hands it on as it is: these types
//! only tell the document what it looks like. Tests of the whole hold plans that workers made against it.
#![expect(dead_code, reason = "members are read by the derived schemas alone")]

use reelgate_common::grid::SegmentGrid;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Everything one generation of a file shall have.
#[derive(ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanJson {
    /// The source plays everywhere as it is, and is offered before anything is encoded.
    serve_source: bool,
    /// The source's bit rate is above what plays by default.
    heavy: bool,
    /// Highest first.
    rungs: Vec<Rung>,
    /// Held back until the file has been watched.
    #[schema(required = false)]
    earned: Vec<EarnedRung>,
    /// The default track first.
    audio: Vec<AudioStep>,
    /// The rung that is made alone and published before the rest.
    first: Option<String>,
    extras: Extras,
    /// Frames per second of every encoded rung as a fraction, where pictures are brought to a constant rate.
    constant_rate: Option<(u32, u32)>,
    grid: SegmentGrid,
    /// What a search for quality has found, where the deployment wants one.
    quality: Option<Quality>,
    /// What was decided, and why.
    reasons: Vec<Choice>,
    /// Outputs that were made and kept back.
    #[schema(required = false)]
    refused: Vec<Refused>,
}

/// One planned video rendition.
#[derive(ToSchema)]
#[schema(as = PlannedRung)]
struct Rung {
    name: String,
    width: u32,
    height: u32,
    video: VideoStep,
    /// Whether it has sound.
    audio: bool,
}

/// One that is made when the file has been watched often enough.
#[derive(ToSchema)]
#[schema(as = EarnedRung)]
struct EarnedRung {
    #[serde(flatten)]
    rung: Rung,
    level: Level,
}

/// Another size in H.264, or another codec.
#[derive(ToSchema)]
#[schema(as = EarnedLevel)]
#[serde(rename_all = "snake_case")]
enum Level {
    Rung,
    Codec,
}

/// How a rung gets its pictures.
#[derive(ToSchema)]
#[schema(as = PlannedVideo)]
#[serde(tag = "step", rename_all = "snake_case")]
enum VideoStep {
    /// The source's own packets.
    Copy,
    Encode {
        codec: VideoCodec,
        /// The encoder's constant rate factor.
        crf: u8,
        /// Bits per second that a second or two never exceed on average.
        #[schema(required)]
        max_bitrate: Option<u32>,
        preset: String,
    },
}

#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
enum VideoCodec {
    H264,
    Hevc,
    Av1,
    Vp9,
}

/// How one audio track of the source becomes AAC-LC.
#[derive(ToSchema)]
#[schema(as = PlannedAudio)]
struct AudioStep {
    /// Index of the stream in the source.
    stream: u32,
    name: String,
    language: Option<String>,
    default: bool,
    /// Becomes a rendition of its own, instead of going into every rung.
    alone: bool,
    channels: u16,
    step: SoundStep,
    /// LUFS that it is brought to.
    loudness: Option<i8>,
}

/// How its packets come about.
#[derive(ToSchema)]
#[schema(as = PlannedSound)]
#[serde(tag = "step", rename_all = "snake_case")]
enum SoundStep {
    /// The source's own packets.
    Copy,
    /// The same if they follow one another without a gap, else encoded.
    CopyIfSteady {
        /// Bits per second.
        bitrate: u32,
    },
    Encode {
        /// Bits per second.
        bitrate: u32,
    },
}

/// What is made beside what plays.
#[derive(ToSchema)]
#[schema(as = PlannedExtras)]
struct Extras {
    poster: bool,
    storyboard: bool,
    preview: bool,
    waveform: bool,
    /// Subtitle streams of the source that become captions.
    captions: Vec<u32>,
}

/// What samples of the film have shown.
#[derive(ToSchema)]
#[schema(as = PlannedQuality)]
struct Quality {
    /// How pictures are compared: SSIM over all planes, 1 for the same.
    metric: Metric,
    /// What each rung is to reach at its own size.
    target: f64,
    /// Milliseconds of the film that each point was measured on.
    sampled_ms: u64,
    /// Highest rung first.
    curves: Vec<Curve>,
}

#[derive(ToSchema)]
#[schema(as = PlannedMetric)]
#[serde(rename_all = "snake_case")]
enum Metric {
    Ssim,
}

/// What one rung looks like and takes, by its constant rate factor.
#[derive(ToSchema)]
#[schema(as = PlannedCurve)]
struct Curve {
    /// The rung's.
    name: String,
    codec: VideoCodec,
    height: u32,
    /// By ascending factor.
    points: Vec<Point>,
    /// The factor that was chosen; one of the points.
    crf: u8,
    /// The deployment's, as without a search; one of the points.
    usual_crf: u8,
    /// Why there is no such rung.
    #[schema(required)]
    dropped: Option<String>,
    /// By how much the rung is expected to be smaller than with `usual_crf`; below zero where the quality wanted costs more.
    saved_bytes: i64,
}

#[derive(ToSchema)]
#[schema(as = PlannedPoint)]
struct Point {
    crf: u8,
    /// How like the film it is at its own size.
    own: f64,
    /// How like the film it is at the largest rung's size.
    shown: f64,
    /// Bits per second, pictures alone.
    bitrate: u64,
}

#[derive(ToSchema)]
#[schema(as = PlannedChoice)]
struct Choice {
    what: String,
    why: String,
}

#[derive(ToSchema)]
#[schema(as = RefusedOutput)]
struct Refused {
    name: String,
    code: String,
    message: String,
}

/// A plan as the document shows it.
pub(crate) fn example() -> Value {
    json!({
        "serve_source": false,
        "heavy": false,
        "rungs": [{
            "name": "720p",
            "width": 1280,
            "height": 720,
            "video": { "step": "encode", "codec": "h264", "crf": 23, "max_bitrate": 3_500_000, "preset": "veryfast" },
            "audio": true,
        }],
        "audio": [{
            "stream": 1,
            "name": "audio",
            "language": null,
            "default": true,
            "alone": false,
            "channels": 2,
            "step": { "step": "copy_if_steady", "bitrate": 128_000 },
            "loudness": null,
        }],
        "first": null,
        "extras": { "poster": true, "storyboard": true, "preview": true, "waveform": false, "captions": [] },
        "constant_rate": null,
        "grid": { "kind": "regular", "period_ms": 2_000 },
        "quality": null,
        "reasons": [{ "what": "do not serve the source", "why": "its pictures are HEVC" }],
    })
}
