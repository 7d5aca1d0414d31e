//! What can be used as it is: of an MP4 or MOV by its index, of other containers by what the probe says of their tracks. There
//! it stays a guess until the tracks have been put into an MP4 with an index.

use std::sync::Arc;

use reelgate_common::{
    grid::SegmentGrid,
    media_info::{AudioInfo, MediaInfo, Reason, VideoInfo},
};
use reelgate_packager::{FourCc, Movie, TimeRun, TopBox, judge, segment_grid_points, shown_video};

/// The index of an MP4 or MOV.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) boxes: Vec<TopBox>,
    /// Empty when there is none.
    pub(super) ftyp: Vec<u8>,
    pub(super) moov: Vec<u8>,
    pub(super) movie: Arc<Movie>,
}

/// The grid without a segment-safe source.
pub(super) const REGULAR: SegmentGrid = SegmentGrid::Regular { period_ms: 2_000 };
/// Containers whose packets carry the times that an MP4 needs.
const TIMED: [&str; 4] = ["matroska", "mpegts", "flv", "mov"];
/// Baseline (also constrained), Main and High, by libav's numbers.
const PROFILES: [i32; 4] = [66, 66 | 512, 77, 100];
const MAX_LEVEL: i32 = 52;
const AAC_LC: i32 = 1;
/// The profile of Dolby Vision whose numbers mean colours only together with its own metadata, which libav does not apply.
const WITHOUT_FALLBACK: u8 = 5;
/// Tracks that end this far apart were meant to end together.
const APART_MS: u64 = 1_000;

/// Fills in the judgement and gives the grid.
pub(super) fn judge_source(media: &mut MediaInfo, index: Option<&Index>, size: u64) -> SegmentGrid {
    let Some(index) = index else {
        let message = format!("The container ({}) is not an MP4 or MOV with a readable index.", media.container);
        media.reasons = vec![reason("container", message)];
        warn(media);
        judge_tracks(media);
        return REGULAR;
    };
    let safety = judge(&index.movie, size);
    media.moov_in_front = moov_in_front(index);
    // The child has the last word on whether there is a picture at all.
    media.web_safe = safety.web_safe && media.video.is_some();
    media.segment_safe = safety.segment_safe && media.web_safe;
    let reasons = safety.reasons.into_iter();
    media.reasons = reasons.map(|found| reason(found.code, found.message)).collect();
    warn(media);
    if index.movie.fragmented {
        judge_tracks(media);
        return REGULAR;
    }
    if let Some(video) = &mut media.video {
        video.copyable = safety.video_segment_safe;
        video.variable_frame_rate =
            shown_video(&index.movie).map_or(video.variable_frame_rate, |track| varies(&track.tables.times));
    }
    for audio in &mut media.audio {
        audio.copyable = safety.audio_segment_safe && audio_reasons(audio).is_empty();
    }
    if !media.segment_safe {
        return REGULAR;
    }
    grid_of(&index.movie).unwrap_or_else(|| {
        media.segment_safe = false;
        REGULAR
    })
}

/// The clean entries of the film's pictures.
pub(super) fn grid_of(movie: &Movie) -> Option<SegmentGrid> {
    let (timescale, pts) = segment_grid_points(shown_video(movie)?).ok()?;
    (!pts.is_empty()).then_some(SegmentGrid::Points { timescale, pts })
}

/// What people should know although something can be made of the source.
fn warn(media: &mut MediaInfo) {
    let mut found = Vec::new();
    if media.reasons.iter().any(|reason| reason.code == "samples_outside_file") {
        found.push(reason("cut_off", "The file is cut off: part of its media is missing.".to_owned()));
    }
    if media.video.as_ref().is_some_and(|video| video.dolby_vision_profile == Some(WITHOUT_FALLBACK)) {
        let message = "The video is Dolby Vision profile 5, which carries no picture for other players: its colours are \
                       wrong here. Export it as HDR10, HLG or SDR.";
        found.push(reason("dolby_vision_5", message.to_owned()));
    }
    let pictures = media.video.as_ref().and_then(|video| video.duration_ms);
    let sound = media.audio.iter().filter_map(|audio| audio.duration_ms).max();
    if let (Some(pictures), Some(sound)) = (pictures, sound) {
        let ends = |what, early: u64, late: u64| format!("The {what} ends {} ms before the rest.", late - early);
        if pictures + APART_MS < sound {
            found.push(reason("video_ends_early", ends("video", pictures, sound)));
        } else if sound + APART_MS < pictures {
            found.push(reason("audio_ends_early", ends("audio", sound, pictures)));
        }
    }
    media.warnings = found;
}

/// Whether frames are shown for different times: more than one in twenty for clearly longer or shorter than most.
fn varies(runs: &[TimeRun]) -> bool {
    let all: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
    let Some(usual) = runs.iter().max_by_key(|run| run.count).map(|run| f64::from(run.delta)) else { return false };
    let apart = |run: &&TimeRun| (f64::from(run.delta) - usual).abs() > usual * 0.1 + 1.0;
    let odd: u64 = runs.iter().filter(apart).map(|run| u64::from(run.count)).sum();
    odd * 20 > all
}

fn moov_in_front(index: &Index) -> Option<bool> {
    let place = |kind: &[u8; 4]| index.boxes.iter().position(|found| found.kind == FourCc(*kind));
    let (moov, media) = (place(b"moov")?, place(b"mdat").or_else(|| place(b"moof")));
    Some(media.is_none_or(|media| moov < media))
}

/// By the probe alone.
fn judge_tracks(media: &mut MediaInfo) {
    let timed = TIMED.contains(&media.container.as_str());
    let mut found = Vec::new();
    if let Some(video) = &mut media.video {
        let reasons = video_reasons(video);
        video.copyable = timed && reasons.is_empty();
        found.extend(reasons);
    }
    for audio in &mut media.audio {
        let reasons = audio_reasons(audio);
        audio.copyable = timed && reasons.is_empty();
        found.extend(reasons);
    }
    for reason in found {
        if !media.reasons.iter().any(|known| known.code == reason.code) {
            media.reasons.push(reason);
        }
    }
}

/// What keeps pictures from being cut as they are, as far as the probe can tell; the packager's codes.
fn video_reasons(video: &VideoInfo) -> Vec<Reason> {
    let mut found = Vec::new();
    let VideoInfo { codec, pixel_format, bit_depth, chroma, .. } = video;
    if codec != "h264" {
        found.push(reason("video_codec", format!("The video is {codec}, not H.264.")));
    } else if !video.profile.is_some_and(|profile| PROFILES.contains(&profile))
        || !matches!(pixel_format.as_str(), "yuv420p" | "yuvj420p")
    {
        let profile = video.profile_name.as_deref().unwrap_or("unknown");
        found.push(reason(
            "video_profile",
            format!("H.264 profile {profile} ({chroma}, {bit_depth} bits) is beyond High 8-bit 4:2:0."),
        ));
    }
    if codec == "h264" && video.level.is_none_or(|level| level > MAX_LEVEL) {
        found.push(reason("video_level", "The level of H.264 is above 5.2.".to_owned()));
    }
    if video.interlaced {
        found.push(reason("interlaced", "The video is interlaced.".to_owned()));
    }
    if video.rotation != 0 || video.mirrored {
        found.push(reason("rotated", "The picture is turned or mirrored for display.".to_owned()));
    }
    if video.sample_aspect.0 != video.sample_aspect.1 {
        found.push(reason("pixel_aspect", "The pixels are not square.".to_owned()));
    }
    found
}

fn audio_reasons(audio: &AudioInfo) -> Vec<Reason> {
    let mut found = Vec::new();
    if audio.codec != "aac" || audio.profile != Some(AAC_LC) {
        found.push(reason("audio_codec", format!("The audio ({}) is not AAC-LC.", audio.codec)));
    }
    if !(1..=2).contains(&audio.channels) {
        found.push(reason("audio_channels", format!("The audio has {} channels.", audio.channels)));
    }
    found
}

fn reason(code: &str, message: String) -> Reason {
    Reason { code: code.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(container: &str, change: impl FnOnce(&mut VideoInfo, &mut AudioInfo)) -> MediaInfo {
        let mut video = VideoInfo {
            codec: "h264".to_owned(),
            profile: Some(100),
            level: Some(40),
            pixel_format: "yuv420p".to_owned(),
            ..VideoInfo::default()
        };
        let mut audio =
            AudioInfo { codec: "aac".to_owned(), profile: Some(AAC_LC), channels: 2, ..AudioInfo::default() };
        change(&mut video, &mut audio);
        let container = container.to_owned();
        MediaInfo { container, video: Some(video), audio: vec![audio], ..MediaInfo::default() }
    }

    /// Whether video and audio may be copied, and why the file is not used as it is.
    fn judged(mut media: MediaInfo) -> (bool, bool, Vec<String>) {
        assert_eq!(judge_source(&mut media, None, 1), REGULAR);
        let codes = media.reasons.into_iter().map(|reason| reason.code).collect();
        (media.video.unwrap().copyable, media.audio[0].copyable, codes)
    }

    #[test]
    fn plain_h264_and_aac_in_a_timed_container_may_be_copied() {
        for container in ["matroska", "mpegts", "flv"] {
            assert_eq!(judged(film(container, |_, _| ())), (true, true, vec!["container".to_owned()]));
        }
        assert_eq!(judged(film("avi", |_, _| ())), (false, false, vec!["container".to_owned()]));
    }

    #[test]
    fn tracks_that_end_apart_and_cut_files_are_warned_of() {
        let warned = |pictures, sound| {
            let mut media = film("matroska", |video, audio| {
                (video.duration_ms, audio.duration_ms) = (Some(pictures), Some(sound));
            });
            media.reasons = vec![reason("samples_outside_file", String::new())];
            warn(&mut media);
            media.warnings.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
        };
        assert_eq!(warned(5_000, 6_000), ["cut_off"]);
        assert_eq!(warned(5_000, 6_001), ["cut_off", "video_ends_early"]);
        assert_eq!(warned(6_001, 5_000), ["cut_off", "audio_ends_early"]);
    }

    #[test]
    fn dolby_vision_that_nothing_else_can_show_is_warned_of() {
        let warned = |profile| {
            let mut media = film("mov", |video, _| video.dolby_vision_profile = profile);
            judge_source(&mut media, None, 1);
            media.warnings.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
        };
        assert_eq!(warned(Some(5)), ["dolby_vision_5"]);
        assert!(warned(Some(8)).is_empty() && warned(None).is_empty());
    }

    #[test]
    fn a_rate_varies_when_many_frames_last_otherwise() {
        let runs =
            |list: &[(u32, u32)]| list.iter().map(|&(count, delta)| TimeRun { count, delta }).collect::<Vec<_>>();
        assert!(!varies(&runs(&[(100, 1001)])));
        assert!(!varies(&runs(&[(50, 33), (49, 34), (1, 500)])), "rounding, and a long last frame");
        assert!(varies(&runs(&[(90, 1000), (10, 2000)])));
        assert!(!varies(&[]));
    }

    #[test]
    fn each_track_is_judged_by_itself() {
        let (video, audio, codes) = judged(film("matroska", |_, audio| audio.codec = "ac3".to_owned()));
        assert_eq!((video, audio, codes[1].as_str()), (true, false, "audio_codec"));
        let (video, audio, codes) = judged(film("matroska", |video, _| video.codec = "vp9".to_owned()));
        assert_eq!((video, audio, codes[1].as_str()), (false, true, "video_codec"));
    }

    #[test]
    fn every_property_that_rules_out_copying_is_named() {
        type Change = fn(&mut VideoInfo, &mut AudioInfo);
        let cases: [(Change, &str); 8] = [
            (|video, _| video.profile = Some(110), "video_profile"),
            (|video, _| video.pixel_format = "yuv422p".to_owned(), "video_profile"),
            (|video, _| video.level = Some(62), "video_level"),
            (|video, _| video.interlaced = true, "interlaced"),
            (|video, _| video.rotation = 90, "rotated"),
            (|video, _| video.sample_aspect = (4, 3), "pixel_aspect"),
            (|_, audio| audio.profile = Some(4), "audio_codec"),
            (|_, audio| audio.channels = 6, "audio_channels"),
        ];
        for (change, code) in cases {
            let (video, audio, codes) = judged(film("matroska", change));
            assert_eq!(codes[1..], [code.to_owned()]);
            assert_eq!((video, audio), (code.starts_with("audio"), !code.starts_with("audio")), "{code}");
        }
    }
}
