//! The master playlist: every video track as a variant, with the one group of audio and the captions.

use super::attributes::Attributes;
use crate::{
    language::language,
    package::{TrackSummary, VideoRange, VideoSummary},
    presentation::{Caption, IFRAMES_NAME, Offer, PLAYLIST_NAME, Presentation},
};

const AUDIO_GROUP: &str = "audio";
const CAPTIONS_GROUP: &str = "captions";

/// The master playlist. Without video, the audio tracks are the variant.
#[must_use]
pub fn hls_master(offered: &Presentation) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    for (index, audio) in offered.audios.iter().enumerate() {
        text += &audio_line(audio, &name_of(&offered.audios, index), index == 0);
    }
    text.extend(offered.captions.iter().map(captions_line));
    if offered.videos.is_empty() {
        text.extend(offered.audios.first().map(|audio| variant(audio, offered)));
    }
    text.extend(offered.videos.iter().map(|video| variant(video, offered)));
    text.extend(offered.videos.iter().filter_map(iframes));
    text
}

fn audio_line(audio: &Offer, name: &str, default: bool) -> String {
    let attributes = Attributes::default()
        .plain("TYPE", "AUDIO")
        .quoted("GROUP-ID", AUDIO_GROUP)
        .quoted("NAME", name)
        .quoted("LANGUAGE", &language(audio.track.language.as_deref()))
        .plain("DEFAULT", if default { "YES" } else { "NO" })
        .plain("AUTOSELECT", "YES");
    let attributes = match &audio.track.audio {
        Some(sound) => attributes.quoted("CHANNELS", &sound.channels.to_string()),
        None => attributes,
    };
    attributes.quoted("URI", &address(audio, PLAYLIST_NAME)).line("#EXT-X-MEDIA")
}

/// The language, counted where it repeats: names are unique within a group.
fn name_of(audios: &[Offer], index: usize) -> String {
    let spoken = |audio: &Offer| language(audio.track.language.as_deref());
    let own = spoken(&audios[index]);
    match audios[..index].iter().filter(|other| spoken(other) == own).count() {
        0 => own,
        before => format!("{own} {}", before + 1),
    }
}

fn captions_line(caption: &Caption) -> String {
    Attributes::default()
        .plain("TYPE", "SUBTITLES")
        .quoted("GROUP-ID", CAPTIONS_GROUP)
        .quoted("NAME", &caption.name)
        .quoted("LANGUAGE", &language(caption.language.as_deref()))
        .plain("DEFAULT", if caption.default { "YES" } else { "NO" })
        .plain("AUTOSELECT", "YES")
        .plain("FORCED", "NO")
        .quoted("URI", &caption.playlist)
        .line("#EXT-X-MEDIA")
}

fn variant(main: &Offer, offered: &Presentation) -> String {
    let is_video = main.track.video.is_some();
    let beside: &[Offer] = if is_video { &offered.audios } else { &[] };
    let most = |rate: fn(&TrackSummary) -> u64| beside.iter().map(|audio| rate(audio.track)).max().unwrap_or(0);
    let peak = main.track.peak_bandwidth.saturating_add(most(|track| track.peak_bandwidth));
    let average = main.track.average_bandwidth.saturating_add(most(|track| track.average_bandwidth));
    let attributes = Attributes::default()
        .plain("BANDWIDTH", peak)
        .plain("AVERAGE-BANDWIDTH", average)
        .quoted("CODECS", &codecs(main, beside));
    let attributes = described(attributes, main.track.video.as_ref());
    let attributes = if is_video { attributes.plain("CLOSED-CAPTIONS", "NONE") } else { attributes };
    let attributes = grouped(attributes, "AUDIO", AUDIO_GROUP, offered.audios.is_empty());
    let attributes = grouped(attributes, "SUBTITLES", CAPTIONS_GROUP, offered.captions.is_empty());
    format!("{}{}\n", attributes.line("#EXT-X-STREAM-INF"), address(main, PLAYLIST_NAME))
}

fn grouped(attributes: Attributes, name: &str, group: &str, is_empty: bool) -> Attributes {
    if is_empty { attributes } else { attributes.quoted(name, group) }
}

fn described(attributes: Attributes, video: Option<&VideoSummary>) -> Attributes {
    let Some(video) = video else { return attributes };
    attributes
        .plain("RESOLUTION", format_args!("{}x{}", video.width, video.height))
        .optional("FRAME-RATE", frame_rate(video))
        .plain("VIDEO-RANGE", range(video))
}

fn range(video: &VideoSummary) -> &'static str {
    match video.video_range {
        VideoRange::Sdr => "SDR",
        VideoRange::Hlg => "HLG",
        VideoRange::Pq => "PQ",
    }
}

/// Rounded to three decimals, as RFC 8216 has it.
fn frame_rate(video: &VideoSummary) -> Option<String> {
    let (frames, seconds) = video.frame_rate;
    let thousandths = (u64::from(frames) * 1000 + u64::from(seconds) / 2).checked_div(u64::from(seconds))?;
    (thousandths > 0).then(|| format!("{}.{:03}", thousandths / 1000, thousandths % 1000))
}

/// Each codec once, the video's first.
fn codecs(main: &Offer, beside: &[Offer]) -> String {
    let mut names: Vec<&str> = vec![&main.track.codecs];
    for audio in beside {
        if !names.contains(&audio.track.codecs.as_str()) {
            names.push(&audio.track.codecs);
        }
    }
    names.join(",")
}

/// A key frame is part of its segment, so the track's own peak bounds what they take.
fn iframes(video: &Offer) -> Option<String> {
    let shape = video.track.video.as_ref()?;
    let attributes = Attributes::default()
        .plain("BANDWIDTH", video.track.peak_bandwidth)
        .quoted("CODECS", &video.track.codecs)
        .plain("RESOLUTION", format_args!("{}x{}", shape.width, shape.height))
        .plain("VIDEO-RANGE", range(shape))
        .quoted("URI", &address(video, IFRAMES_NAME));
    Some(attributes.line("#EXT-X-I-FRAME-STREAM-INF"))
}

fn address(offer: &Offer, name: &str) -> String {
    format!("{}{name}", offer.folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presentation::fixture::{audio, english, offer, video};

    #[test]
    fn a_master_playlist_reads_as_rfc_8216_has_it() {
        let (large, eng, deu) = (video(), audio(Some("eng")), audio(Some("deu")));
        let small = TrackSummary { peak_bandwidth: 500_000, average_bandwidth: 400_000, ..video() };
        let loud = TrackSummary { peak_bandwidth: 200_000, average_bandwidth: 190_000, ..deu };
        let offered = Presentation {
            videos: vec![offer("720p-0", &large, &[]), offer("480p-0", &small, &[])],
            audios: vec![offer("720p-1", &eng, &[]), offer("720p-2", &loud, &[])],
            captions: vec![english()],
        };
        let expected = r#"#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="L/1/720p/1/index.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="de",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="L/1/720p/2/index.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",NAME="en",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="L/1/captions-en/captions.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2200000,AVERAGE-BANDWIDTH=1690000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE,AUDIO="audio",SUBTITLES="captions"
L/1/720p/0/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=700000,AVERAGE-BANDWIDTH=590000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE,AUDIO="audio",SUBTITLES="captions"
L/1/480p/0/index.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.64001f",RESOLUTION=1280x720,VIDEO-RANGE=SDR,URI="L/1/720p/0/iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=500000,CODECS="avc1.64001f",RESOLUTION=1280x720,VIDEO-RANGE=SDR,URI="L/1/480p/0/iframes.m3u8"
"#;
        assert_eq!(hls_master(&offered), expected);
    }

    #[test]
    fn without_video_the_default_audio_is_the_variant() {
        let sound = audio(None);
        let text = hls_master(&Presentation { audios: vec![offer("audio-0", &sound, &[])], ..Presentation::default() });
        let variant =
            "#EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=128000,CODECS=\"mp4a.40.2\",AUDIO=\"audio\"\n";
        assert!(text.ends_with(&format!("{variant}L/1/audio/0/index.m3u8\n")), "{text}");
    }

    #[test]
    fn without_audio_nothing_names_a_group() {
        let silent = video();
        let text = hls_master(&Presentation { videos: vec![offer("720p-0", &silent, &[])], ..Presentation::default() });
        assert!(!text.contains("AUDIO") && !text.contains("SUBTITLES") && !text.contains("mp4a"), "{text}");
    }

    #[test]
    fn names_of_a_group_are_unique_also_for_strange_languages() {
        let tracks = [audio(Some("eng")), audio(Some("e\"x")), audio(Some("en")), audio(None)];
        let audios: Vec<Offer> = tracks.iter().map(|track| offer("a-1", track, &[])).collect();
        let names: Vec<String> = (0..4).map(|index| name_of(&audios, index)).collect();
        assert_eq!(names, ["en", "und", "en 2", "und 2"]);
    }

    #[test]
    fn a_frame_rate_nobody_knows_is_not_said() {
        let mut shape = video().video.unwrap();
        for (rate, text) in
            [((0, 1), None), ((25, 0), None), ((24_000, 1_001), Some("23.976")), ((60, 1), Some("60.000"))]
        {
            shape.frame_rate = rate;
            assert_eq!(frame_rate(&shape).as_deref(), text);
        }
    }
}
