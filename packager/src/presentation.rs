//! What a master playlist or a manifest offers: the tracks a player may choose from, each with the folder of its addresses,
//! and when their segments are shown. The caller decides what is offered; nothing here knows an address scheme but that the
//! names of a track's segments are relative to its folder.

use crate::package::{SegmentEntry, TrackSummary};

/// Name of a track's init segment within its folder.
pub const INIT_NAME: &str = "init.mp4";
/// Name of a track's media playlist within its folder.
pub const PLAYLIST_NAME: &str = "index.m3u8";
/// Name of a video track's playlist of key frames within its folder.
pub const IFRAMES_NAME: &str = "iframes.m3u8";
/// What the names of segments end in: ffmpeg refuses others.
pub const SEGMENT_SUFFIX: &str = ".m4s";

/// All that a player may choose from, best video first, the default audio first.
#[derive(Debug, Clone, Default)]
pub struct Presentation<'a> {
    pub videos: Vec<Offer<'a>>,
    /// Tracks of one codec that are each other's alternatives: languages, commentaries.
    pub audios: Vec<Offer<'a>>,
    pub captions: Vec<Caption>,
}

/// One track of one rendition.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// Short and unique.
    pub name: String,
    pub track: &'a TrackSummary,
    /// Relative to the master playlist and the manifest, ending in a slash.
    pub folder: String,
    /// Only DASH reads them.
    pub segments: &'a [SegmentEntry],
}

/// Captions as one WebVTT document.
#[derive(Debug, Clone)]
pub struct Caption {
    /// For people.
    pub name: String,
    pub language: Option<String>,
    /// Shown unless the viewer chooses otherwise.
    pub default: bool,
    /// The playlist of the document, and the document.
    pub playlist: String,
    pub document: String,
}

impl Presentation<'_> {
    /// In milliseconds, rounded up: the longest track's.
    pub(crate) fn duration_ms(&self) -> u64 {
        let milliseconds = |offer: &Offer| {
            let ticks = u128::from(offer.track.duration) * 1000;
            u64::try_from(ticks.div_ceil(timescale(offer.track))).unwrap_or(u64::MAX)
        };
        self.videos.iter().chain(&self.audios).map(milliseconds).max().unwrap_or(0)
    }
}

/// Never zero.
pub(crate) fn timescale(track: &TrackSummary) -> u128 {
    u128::from(track.timescale.max(1))
}

#[cfg(test)]
pub(crate) mod fixture {
    use super::*;
    use crate::package::{AudioSummary, Kind, VideoRange, VideoSummary};

    pub(crate) fn video() -> TrackSummary {
        TrackSummary {
            media_time: 1_024,
            duration: 64_000,
            video: Some(VideoSummary {
                width: 1_280,
                height: 720,
                frame_rate: (30_000, 1_001),
                video_range: VideoRange::Sdr,
            }),
            average_bandwidth: 1_500_000,
            peak_bandwidth: 2_000_000,
            ..TrackSummary::new(Kind::Video, 1, 12_800, "avc1.64001f")
        }
    }

    pub(crate) fn audio(language: Option<&str>) -> TrackSummary {
        TrackSummary {
            language: language.map(str::to_owned),
            media_time: 1_024,
            duration: 240_000,
            audio: Some(AudioSummary { channels: 2, sample_rate: 48_000 }),
            average_bandwidth: 128_000,
            peak_bandwidth: 130_000,
            ..TrackSummary::new(Kind::Audio, 1, 48_000, "mp4a.40.2")
        }
    }

    /// A table of segments that begin at these times, the last of which is an end.
    pub(crate) fn segments(times: &[u64]) -> Vec<SegmentEntry> {
        let entry = |pair: &[u64]| {
            let duration = u32::try_from(pair[1] - pair[0]).unwrap();
            let presentation = pair[0];
            SegmentEntry { start: 0, presentation, duration, size: 1_000, lead: 700, record: 0..0 }
        };
        times.windows(2).map(entry).collect()
    }

    pub(crate) fn offer<'a>(name: &str, track: &'a TrackSummary, segments: &'a [SegmentEntry]) -> Offer<'a> {
        Offer { name: name.to_owned(), track, folder: format!("L/1/{}/", name.replace('-', "/")), segments }
    }

    pub(crate) fn english() -> Caption {
        let address = |name: &str| format!("L/1/captions-en/{name}");
        let (playlist, document) = (address("captions.m3u8"), address("captions.vtt"));
        Caption { name: "en".to_owned(), language: Some("en".to_owned()), default: false, playlist, document }
    }
}
