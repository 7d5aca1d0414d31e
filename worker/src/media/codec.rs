//! The encoders of rungs and how each is told the same: a quality, a cap, key frames where we say and nowhere else.

use ffmpeg_next::{Dictionary, encoder};

use crate::plan::{VideoCodec, VideoStep};

/// H.265 as files and browsers call it whose parameter sets lie in the index.
const HVC1: u32 = u32::from_le_bytes(*b"hvc1");

/// Whether the linked libav can encode it.
#[must_use]
pub fn can_encode(codec: VideoCodec) -> bool {
    encoder::find_by_name(encoder_name(codec)).is_some()
}

/// libav's name of the encoder.
pub(super) fn encoder_name(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "libx264",
        VideoCodec::Hevc => "libx265",
        VideoCodec::Av1 => "libaom-av1",
        VideoCodec::Vp9 => "libvpx-vp9",
    }
}

/// The sample entry to write; zero leaves it to the muxer.
pub(super) fn tag(codec: VideoCodec) -> u32 {
    if codec == VideoCodec::Hevc { HVC1 } else { 0 }
}

/// What the encoder is opened with. H.264's quality is the policy's; that of the others looks about the same.
pub(super) fn options(step: &VideoStep, threads: u32) -> Dictionary<'static> {
    let VideoStep::Encode { codec, crf, max_bitrate, preset } = step else { return Dictionary::new() };
    let (crf, threads) = (u32::from(*crf), threads.max(1));
    let mut options: Dictionary<'static> = Dictionary::new();
    match codec {
        VideoCodec::H264 => {
            options.set("profile", "high");
            options.set("x264-params", "scenecut=0:open-gop=0");
            options.set("preset", preset);
        }
        VideoCodec::Hevc => {
            // Without the words about itself, which name its threads: parts that were encoded with others are put together.
            let params = format!("scenecut=0:open-gop=0:info=0:pools={threads}:log-level=error");
            options.set("x265-params", &params);
            options.set("preset", preset);
        }
        VideoCodec::Av1 => {
            options.set("cpu-used", "8");
            options.set("row-mt", "1");
        }
        VideoCodec::Vp9 => {
            options.set("deadline", "realtime");
            options.set("cpu-used", "6");
            options.set("row-mt", "1");
        }
    }
    match codec {
        VideoCodec::H264 | VideoCodec::Hevc => {
            let crf = if *codec == VideoCodec::Hevc { (crf + 4).min(51) } else { crf };
            options.set("crf", &crf.to_string());
            options.set("forced-idr", "1");
            if let Some(bitrate) = max_bitrate {
                options.set("maxrate", &bitrate.to_string());
                // Two seconds: a segment.
                options.set("bufsize", &bitrate.saturating_mul(2).to_string());
            }
        }
        // Their scale ends at 63, and a rate beside it is a cap.
        VideoCodec::Av1 | VideoCodec::Vp9 => {
            options.set("crf", &(crf * 63 / 51 + 4).min(63).to_string());
            options.set("b", &max_bitrate.unwrap_or(0).to_string());
        }
    }
    options.set("threads", &threads.to_string());
    options
}
