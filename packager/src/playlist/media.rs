//! Media playlists: all segments of one track, which never change.

use std::fmt::Write;

use crate::{
    package::{SegmentEntry, TrackSummary},
    presentation::{INIT_NAME, SEGMENT_SUFFIX, timescale},
};

const MICROSECONDS: u128 = 1_000_000;

/// The media playlist of a track. `target_duration` in seconds is one for all tracks of a file.
#[must_use]
pub fn hls_media(track: &TrackSummary, segments: &[SegmentEntry], target_duration: u32) -> String {
    let mut text = head(target_duration, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    list(&mut text, track, segments, |_| String::new());
    text
}

/// The key frames that a video track's segments begin with: the part of each segment up to the end of its first sample.
#[must_use]
pub fn hls_iframes(track: &TrackSummary, segments: &[SegmentEntry], target_duration: u32) -> String {
    let mut text = head(target_duration, "#EXT-X-I-FRAMES-ONLY\n");
    list(&mut text, track, segments, |segment| format!("#EXT-X-BYTERANGE:{}@0\n", segment.lead));
    text
}

/// The playlist of one WebVTT document that lasts `duration_ms`.
#[must_use]
pub fn hls_captions(document: &str, duration_ms: u64) -> String {
    let mut text = head(u32::try_from(duration_ms.div_ceil(1000)).unwrap_or(u32::MAX), "");
    let _ = writeln!(text, "#EXTINF:{}.{:03},\n{document}\n#EXT-X-ENDLIST", duration_ms / 1000, duration_ms % 1000);
    text
}

fn head(target_duration: u32, kind: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target_duration}\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-PLAYLIST-TYPE:VOD\n{kind}"
    )
}

/// `part` gives the lines that say which part of a segment is meant.
fn list(text: &mut String, track: &TrackSummary, segments: &[SegmentEntry], part: impl Fn(&SegmentEntry) -> String) {
    let _ = writeln!(text, "#EXT-X-MAP:URI=\"{INIT_NAME}\"");
    // Ends are rounded, not durations: what a player adds up never drifts from the media.
    let rounded = |ticks: u64| (u128::from(ticks) * MICROSECONDS + timescale(track) / 2) / timescale(track);
    for (number, segment) in segments.iter().enumerate() {
        let end = segment.presentation.saturating_add(u64::from(segment.duration));
        // Players may lose a microsecond of each when they read it. Chromium's own HLS was measured to give up on a jump back
        // to the beginning when what it added up fell short of the media; so the last one makes up for all of them.
        let spare = if number + 1 == segments.len() { segments.len() as u128 } else { 0 };
        let lasts = rounded(end) - rounded(segment.presentation) + spare;
        let (whole, rest) = (lasts / MICROSECONDS, lasts % MICROSECONDS);
        let _ = writeln!(text, "#EXTINF:{whole}.{rest:06},\n{}{number}{SEGMENT_SUFFIX}", part(segment));
    }
    text.push_str("#EXT-X-ENDLIST\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presentation::fixture::{audio, segments, video};

    #[test]
    fn a_media_playlist_reads_as_rfc_8216_has_it() {
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n\
                        #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n\
                        #EXTINF:2.000000,\n0.m4s\n#EXTINF:3.000002,\n1.m4s\n#EXT-X-ENDLIST\n";
        assert_eq!(hls_media(&video(), &segments(&[0, 25_600, 64_000]), 3), expected);
    }

    #[test]
    fn key_frames_alone_last_as_long_as_their_segments() {
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n\
                        #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"init.mp4\"\n\
                        #EXTINF:2.000000,\n#EXT-X-BYTERANGE:700@0\n0.m4s\n\
                        #EXTINF:3.000002,\n#EXT-X-BYTERANGE:700@0\n1.m4s\n#EXT-X-ENDLIST\n";
        assert_eq!(hls_iframes(&video(), &segments(&[0, 25_600, 64_000]), 3), expected);
    }

    #[test]
    fn durations_add_up_to_the_end_and_a_microsecond_for_each_however_many_there_are() {
        let track = TrackSummary { timescale: 44_100, ..audio(None) };
        let times: Vec<u64> = (0..=5_000).map(|segment| segment * 88_064).collect();
        let text = hls_media(&track, &segments(&times), 2);
        let microseconds =
            |line: &str| line.strip_prefix("#EXTINF:")?.strip_suffix(',')?.replace('.', "").parse::<u64>().ok();
        let sum: u64 = text.lines().filter_map(microseconds).sum();
        let end = 5_000 * 88_064;
        assert_eq!(sum, (end * 1_000_000 + 22_050) / 44_100 + 5_000);
    }

    #[test]
    fn captions_are_one_segment() {
        let text = hls_captions("captions.vtt", 61_500);
        assert!(text.contains("#EXT-X-TARGETDURATION:62\n"), "{text}");
        assert!(text.ends_with("#EXTINF:61.500,\ncaptions.vtt\n#EXT-X-ENDLIST\n"), "{text}");
    }
}
