//! DASH (ISO/IEC 23009-1) from summaries and segment tables: one static manifest over the same segments as HLS. Video is one
//! adaptation set, so that players switch within it; each audio track and each caption document is one of its own.
//!
//! Times are those of presentation: init segments hold the edit that makes them so, hence no offset here (with one, Shaka
//! sets sound and picture apart).

mod xml;

use self::xml::Element;
use crate::{
    language::language,
    package::TrackSummary,
    presentation::{Caption, INIT_NAME, Offer, Presentation, SEGMENT_SUFFIX, timescale},
};

/// The manifest; every offer needs its segments.
#[must_use]
pub fn mpd(offered: &Presentation) -> String {
    let mut period = Element::new("Period").with("id", "0").with("start", "PT0S");
    let mut id = 0..;
    let mut next = || id.next().unwrap_or_default();
    if !offered.videos.is_empty() {
        period = period.child(&video_set(next(), &offered.videos));
    }
    for (index, audio) in offered.audios.iter().enumerate() {
        period = period.child(&audio_set(next(), audio, index == 0));
    }
    for caption in &offered.captions {
        period = period.child(&captions_set(next(), caption));
    }
    Element::new("MPD")
        .with("xmlns", "urn:mpeg:dash:schema:mpd:2011")
        .with("profiles", "urn:mpeg:dash:profile:isoff-live:2011")
        .with("type", "static")
        .with("mediaPresentationDuration", &seconds(offered.duration_ms()))
        .with("minBufferTime", "PT2S")
        .child(&period)
        .document()
}

fn seconds(milliseconds: u64) -> String {
    format!("PT{}.{:03}S", milliseconds / 1000, milliseconds % 1000)
}

fn set(id: u32, kind: &str, mime: &str) -> Element {
    Element::new("AdaptationSet").with("id", &id.to_string()).with("contentType", kind).with("mimeType", mime)
}

fn video_set(id: u32, videos: &[Offer]) -> Element {
    let set = set(id, "video", "video/mp4").with("segmentAlignment", "true").with("startWithSAP", "1");
    videos.iter().fold(set, |set, video| set.child(&representation(video)))
}

fn audio_set(id: u32, audio: &Offer, default: bool) -> Element {
    let role = if default { "main" } else { "alternate" };
    set(id, "audio", "audio/mp4")
        .with("segmentAlignment", "true")
        .with("startWithSAP", "1")
        .with("lang", &language(audio.track.language.as_deref()))
        .child(&scheme("Role", "urn:mpeg:dash:role:2011", role))
        .child(&representation(audio))
}

fn captions_set(id: u32, caption: &Caption) -> Element {
    let document = Element::new("Representation")
        .with("id", &format!("captions-{id}"))
        .with("bandwidth", "256")
        .child(&Element::new("BaseURL").text(&caption.document));
    set(id, "text", "text/vtt")
        .with("lang", &language(caption.language.as_deref()))
        .child(&Element::new("Label").text(&caption.name))
        .child(&scheme("Role", "urn:mpeg:dash:role:2011", "caption"))
        .child(&document)
}

fn scheme(name: &'static str, scheme: &str, value: &str) -> Element {
    Element::new(name).with("schemeIdUri", scheme).with("value", value)
}

fn representation(offer: &Offer) -> Element {
    let track = offer.track;
    let element = Element::new("Representation")
        .with("id", &offer.name)
        .with("bandwidth", &track.peak_bandwidth.max(1).to_string())
        .with("codecs", &track.codecs);
    described(element, track).child(&Element::new("BaseURL").text(&offer.folder)).child(&template(offer))
}

fn described(element: Element, track: &TrackSummary) -> Element {
    if let Some(video) = &track.video {
        let element = element
            .with("width", &video.width.to_string())
            .with("height", &video.height.to_string())
            .with("sar", "1:1");
        return match video.frame_rate {
            (0, _) | (_, 0) => element,
            (frames, 1) => element.with("frameRate", &frames.to_string()),
            (frames, seconds) => element.with("frameRate", &format!("{frames}/{seconds}")),
        };
    }
    let Some(audio) = &track.audio else { return element };
    let channels = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";
    element.with("audioSamplingRate", &audio.sample_rate.to_string()).child(&scheme(
        "AudioChannelConfiguration",
        channels,
        &audio.channels.to_string(),
    ))
}

fn template(offer: &Offer) -> Element {
    Element::new("SegmentTemplate")
        .with("timescale", &timescale(offer.track).to_string())
        .with("initialization", INIT_NAME)
        .with("media", &format!("$Number${SEGMENT_SUFFIX}"))
        .with("startNumber", "0")
        .child(&timeline(offer))
}

/// Equal durations in a row are one element.
fn timeline(offer: &Offer) -> Element {
    let mut runs: Vec<(u64, u64, u64)> = Vec::new();
    for segment in offer.segments {
        let lasts = u64::from(segment.duration);
        match runs.last_mut() {
            Some((_, same, repeats)) if *same == lasts => *repeats += 1,
            _ => runs.push((segment.presentation, lasts, 0)),
        }
    }
    runs.iter().fold(Element::new("SegmentTimeline"), |timeline, (start, lasts, repeats)| {
        let run = Element::new("S").with("t", &start.to_string()).with("d", &lasts.to_string());
        timeline.child(&if *repeats > 0 { run.with("r", &repeats.to_string()) } else { run })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presentation::fixture::{audio, english, offer, segments, video};

    #[test]
    fn a_manifest_offers_the_same_segments_as_hls() {
        let (picture, sound) = (video(), audio(Some("eng")));
        let (shots, beats) = (segments(&[0, 25_600, 51_200, 64_000]), segments(&[0, 96_256, 192_512, 240_000]));
        let offered = Presentation {
            videos: vec![offer("720p-0", &picture, &shots)],
            audios: vec![offer("720p-1", &sound, &beats)],
            captions: vec![english()],
        };
        let expected = concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
            "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" ",
            "type=\"static\" mediaPresentationDuration=\"PT5.000S\" minBufferTime=\"PT2S\">",
            "<Period id=\"0\" start=\"PT0S\">",
            "<AdaptationSet id=\"0\" contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">",
            "<Representation id=\"720p-0\" bandwidth=\"2000000\" codecs=\"avc1.64001f\" width=\"1280\" height=\"720\" ",
            "sar=\"1:1\" frameRate=\"30000/1001\"><BaseURL>L/1/720p/0/</BaseURL>",
            "<SegmentTemplate timescale=\"12800\" initialization=\"init.mp4\" media=\"$Number$.m4s\" startNumber=\"0\">",
            "<SegmentTimeline><S t=\"0\" d=\"25600\" r=\"1\"/><S t=\"51200\" d=\"12800\"/></SegmentTimeline>",
            "</SegmentTemplate></Representation></AdaptationSet>",
            "<AdaptationSet id=\"1\" contentType=\"audio\" mimeType=\"audio/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\" ",
            "lang=\"en\"><Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>",
            "<Representation id=\"720p-1\" bandwidth=\"130000\" codecs=\"mp4a.40.2\" audioSamplingRate=\"48000\">",
            "<AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"2\"/>",
            "<BaseURL>L/1/720p/1/</BaseURL>",
            "<SegmentTemplate timescale=\"48000\" initialization=\"init.mp4\" media=\"$Number$.m4s\" startNumber=\"0\">",
            "<SegmentTimeline><S t=\"0\" d=\"96256\" r=\"1\"/><S t=\"192512\" d=\"47488\"/></SegmentTimeline>",
            "</SegmentTemplate></Representation></AdaptationSet>",
            "<AdaptationSet id=\"2\" contentType=\"text\" mimeType=\"text/vtt\" lang=\"en\"><Label>en</Label>",
            "<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"caption\"/>",
            "<Representation id=\"captions-2\" bandwidth=\"256\"><BaseURL>L/1/captions-en/captions.vtt</BaseURL>",
            "</Representation></AdaptationSet></Period></MPD>\n",
        );
        assert_eq!(mpd(&offered), expected);
    }

    #[test]
    fn a_language_out_of_a_strangers_file_cannot_leave_its_attribute() {
        let (sound, beats) = (audio(Some("\"/><x y=\"")), segments(&[0, 97_280]));
        let text = mpd(&Presentation { audios: vec![offer("a-0", &sound, &beats)], ..Presentation::default() });
        assert!(text.contains("lang=\"und\"") && !text.contains("<x"), "{text}");
    }
}
