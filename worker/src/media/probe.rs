//! What is in a source: the streams we would show, judged by decodability, with display geometry and durations.

use ffmpeg_next::Chapter;
use reelgate_common::media_info::{AudioInfo, ChapterInfo, HdrKind, MediaInfo, SubtitleInfo, VideoInfo};

use super::{
    color,
    error::MediaError,
    ffi::{self, PixelFacts, StreamFacts, StreamKind},
    input::{Source, too_many_pixels},
    limits,
};

/// H.273's numbers of the two transfer functions.
const PQ: i32 = 16;
const HLG: i32 = 18;
/// Subtitles that are text, by libav's names.
const TEXTS: [&str; 7] = ["subrip", "srt", "mov_text", "webvtt", "ass", "ssa", "text"];
/// More is no help to anybody.
const MAX_CHAPTERS: usize = 1_000;
const MAX_TITLE: usize = 200;
/// Microseconds.
const LATE_START: i64 = 1_000_000;

/// Looks at a source. Every judgement (`web_safe`, `copyable`, `reasons`) is the caller's to fill.
pub fn probe(source: &mut Source) -> Result<MediaInfo, MediaError> {
    if let Some(bomb) = source.streams.iter().find_map(too_many_pixels) {
        return Err(bomb);
    }
    let video = pick_video(&source.streams).cloned();
    let audio: Vec<_> = source.streams.iter().filter(|stream| audio_usable(stream)).cloned().collect();
    if video.is_none() && audio.is_empty() {
        return Err(nothing_usable(&source.streams));
    }
    let duration_ms = duration_ms(source, video.iter().chain(&audio))?;
    if duration_ms > limits::MAX_DURATION_MS {
        return Err(MediaError::TooLong { duration_ms });
    }
    Ok(MediaInfo {
        container: source.input.format().name().split(',').next().unwrap_or_default().to_owned(),
        duration_ms,
        bitrate: (source.size * 8_000).checked_div(duration_ms).unwrap_or(0),
        video: video.as_ref().map(video_info),
        audio: audio.iter().map(audio_info).collect(),
        subtitles: source.streams.iter().filter(|s| s.kind == StreamKind::Subtitle).map(subtitle_info).collect(),
        chapters: chapters(source),
        ..MediaInfo::default()
    })
}

/// The best video that is no attached picture and decodable: the default one, else the largest.
fn pick_video(streams: &[StreamFacts]) -> Option<&StreamFacts> {
    streams.iter().filter(|stream| video_usable(stream)).max_by_key(|stream| {
        (stream.default, u64::from(stream.width) * u64::from(stream.height), u32::MAX - stream.index)
    })
}

fn video_usable(stream: &StreamFacts) -> bool {
    stream.kind == StreamKind::Video
        && !stream.attached_picture
        && stream.decodable
        && stream.width > 0
        && stream.height > 0
        && stream.pixel.is_some()
        && limits::video_codec_allowed(&stream.codec)
}

fn audio_usable(stream: &StreamFacts) -> bool {
    stream.kind == StreamKind::Audio
        && stream.decodable
        && limits::SAMPLE_RATES.contains(&stream.sample_rate)
        && (1..=limits::MAX_CHANNELS).contains(&stream.channels)
        && limits::audio_codec_allowed(&stream.codec)
}

/// Why none of the streams can be used.
fn nothing_usable(streams: &[StreamFacts]) -> MediaError {
    let Some(stream) = streams
        .iter()
        .filter(|s| matches!(s.kind, StreamKind::Video | StreamKind::Audio) && !s.attached_picture)
        .min_by_key(|s| s.kind != StreamKind::Video)
    else {
        return MediaError::NotMedia;
    };
    let tag = fourcc(stream.tag);
    let known = match stream.kind {
        StreamKind::Video => limits::video_codec_allowed(&stream.codec),
        _ => limits::audio_codec_allowed(&stream.codec),
    };
    if matches!(tag.as_str(), "encv" | "enca") {
        return MediaError::Encrypted;
    }
    if !stream.decodable || !known {
        let named = matches!(stream.codec.as_str(), "none" | "unknown_codec" | "unknown");
        return MediaError::UnsupportedCodec { codec: if named { tag } else { stream.codec.clone() } };
    }
    match stream.kind {
        StreamKind::Audio => {
            MediaError::broken(format!("its audio has {} channels at {} Hz", stream.channels, stream.sample_rate))
        }
        _ => MediaError::broken("no picture could be read"),
    }
}

fn fourcc(tag: u32) -> String {
    tag.to_le_bytes().iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect()
}

fn duration_ms<'a>(
    source: &mut Source,
    chosen: impl Iterator<Item = &'a StreamFacts> + Clone,
) -> Result<u64, MediaError> {
    let start = chosen.clone().filter_map(|s| Some(micros(s.start?, s.time_base))).min().unwrap_or(0);
    let ends: Option<Vec<i64>> = chosen
        .clone()
        .map(|s| Some(micros(s.start.unwrap_or(0), s.time_base).saturating_add(micros(s.duration?, s.time_base))))
        .collect();
    let scannable = !source.sparse && source.size <= limits::SCAN_BYTES;
    let format = source.input.format().name().to_owned();
    // Matroska's tracks state no duration; what libav shows there is the container's. Of a transport stream it looks at both
    // ends, which says nothing of pieces and wraps between them.
    let guessed = format.starts_with("matroska") || (scannable && format == "mpegts");
    let by_streams = ends.filter(|_| !guessed).and_then(|ends| ends.into_iter().max());
    let by_streams = by_streams.map(|end| end.saturating_sub(start.max(0)));
    let wanted: Vec<u32> = chosen.map(|s| s.index).collect();
    // Where the tracks state nothing, the container's word may be that of a subtitle, which nobody waits for, or count from
    // long before the first picture.
    let late = format.starts_with("matroska") && start > LATE_START;
    let doubtful = source.streams.len() > wanted.len() || late || format == "mpegts";
    let container = ffi::container_times(&source.input).0;
    let micros = match (by_streams.filter(|d| *d > 0), container) {
        (Some(stated), _) => stated,
        (None, Some(stated)) if !doubtful || !scannable => stated,
        (None, stated) if scannable => Some(scan(source, &wanted)?).filter(|d| *d > 0).or(stated).unwrap_or(0),
        (None, _) => 0,
    };
    Ok(u64::try_from(micros).unwrap_or(0).div_ceil(1000))
}

/// Reads every packet for the span they cover, in microseconds.
fn scan(source: &mut Source, wanted: &[u32]) -> Result<i64, MediaError> {
    ffi::discard_all_but(&mut source.input, wanted);
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    while let Some(packet) = source.receive()? {
        let Some(time) = packet.pts().or(packet.dts()) else { continue };
        // Packets read before the others were discarded still come.
        let stream = source.streams.get(packet.stream()).filter(|stream| wanted.contains(&stream.index));
        let Some(stream) = stream else { continue };
        let start = micros(time, stream.time_base);
        first = first.min(start);
        last = last.max(start.saturating_add(micros(packet.duration().max(0), stream.time_base)));
    }
    Ok(last.saturating_sub(first.max(0)).max(0))
}

fn micros(time: i64, (num, den): (i32, i32)) -> i64 {
    if den <= 0 {
        return 0;
    }
    let exact = i128::from(time) * i128::from(num) * 1_000_000 / i128::from(den);
    i64::try_from(exact).unwrap_or(i64::MAX)
}

fn millis(time: Option<i64>, time_base: (i32, i32)) -> Option<u64> {
    u64::try_from(micros(time?, time_base)).ok().map(|micros| micros.div_ceil(1000))
}

/// What the container says of the track, else what its muxer has noted.
fn track_ms(stream: &StreamFacts) -> Option<u64> {
    millis(stream.duration, stream.time_base).or_else(|| clock_ms(stream.stated_duration.as_deref()?))
}

/// Milliseconds of `hours:minutes:seconds.fraction`.
fn clock_ms(text: &str) -> Option<u64> {
    let mut parts = text.trim().splitn(3, ':');
    let (hours, minutes) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
    let seconds = parts.next()?.parse::<f64>().ok().filter(|seconds| (0.0..60.0).contains(seconds))?;
    let whole = u64::from(hours) * 3_600_000 + u64::from(minutes) * 60_000;
    Some(whole + (seconds * 1_000.0).round() as u64)
}

/// Whether the average is clearly not the rate that the times of the frames hint at. Where there is an index it knows better.
fn varies(nominal: (u32, u32), average: (u32, u32)) -> bool {
    let rate = |(num, den): (u32, u32)| f64::from(num) / f64::from(den);
    (rate(nominal) - rate(average)).abs() > rate(average) * 0.05
}

fn hdr(stream: &StreamFacts) -> Option<HdrKind> {
    match stream.color_transfer {
        _ if stream.dolby_vision_profile.is_some() => Some(HdrKind::DolbyVision),
        PQ => Some(HdrKind::Hdr10),
        HLG => Some(HdrKind::Hlg),
        _ => None,
    }
}

/// libav's names of its numbers, which tell the field that is coded first and the one that is shown first.
fn field_order(number: i32) -> Option<String> {
    let name = ["progressive", "tt", "bb", "tb", "bt"].get(usize::try_from(number).ok()?.checked_sub(1)?)?;
    Some((*name).to_owned())
}

fn video_info(stream: &StreamFacts) -> VideoInfo {
    let sample_aspect = positive(stream.sample_aspect).filter(plausible_aspect).unwrap_or((1, 1));
    let (width, height) = display_size(stream, sample_aspect);
    let pixel = stream.pixel.clone();
    VideoInfo {
        stream: stream.index,
        codec: stream.codec.clone(),
        profile: stream.profile,
        profile_name: stream.profile_name.clone(),
        level: stream.level,
        coded_width: stream.width,
        coded_height: stream.height,
        width,
        height,
        rotation: stream.display.rotation,
        mirrored: stream.display.mirrored,
        sample_aspect,
        frame_rate: positive(stream.frame_rate).unwrap_or((0, 1)),
        average_frame_rate: positive(stream.average_frame_rate).unwrap_or((0, 1)),
        pixel_format: pixel.as_ref().map(|p| p.name.clone()).unwrap_or_default(),
        bit_depth: pixel.as_ref().map_or(8, |p| p.depth),
        chroma: pixel.as_ref().map(chroma).unwrap_or_default().to_owned(),
        variable_frame_rate: positive(stream.frame_rate)
            .zip(positive(stream.average_frame_rate))
            .is_some_and(|(nominal, average)| varies(nominal, average)),
        interlaced: stream.field_order > 1,
        field_order: field_order(stream.field_order),
        hdr: hdr(stream),
        dolby_vision_profile: stream.dolby_vision_profile,
        color_primaries: color::primaries_name(stream.color_primaries).map(str::to_owned),
        color_transfer: color::transfer_name(stream.color_transfer).map(str::to_owned),
        color_space: color::matrix_name(stream.color_space).map(str::to_owned),
        full_range: stream.color_range == 2 || pixel.is_some_and(|p| p.name.starts_with("yuvj")),
        duration_ms: track_ms(stream),
        bitrate: u64::try_from(stream.bitrate).ok().filter(|b| *b > 0),
        copyable: false,
    }
}

/// Pixel aspect stretches the width; a quarter turn swaps the sides.
fn display_size(stream: &StreamFacts, (num, den): (u32, u32)) -> (u32, u32) {
    let stretched = (u64::from(stream.width) * u64::from(num) + u64::from(den) / 2) / u64::from(den);
    let width = u32::try_from(stretched).unwrap_or(stream.width).max(1);
    if stream.display.rotation % 180 == 90 { (stream.height, width) } else { (width, stream.height) }
}

/// No real picture has pixels more than eight times as wide as high.
fn plausible_aspect((num, den): &(u32, u32)) -> bool {
    let (num, den) = (u64::from(*num), u64::from(*den));
    num <= 8 * den && den <= 8 * num
}

fn positive((num, den): (i32, i32)) -> Option<(u32, u32)> {
    Some((u32::try_from(num).ok().filter(|n| *n > 0)?, u32::try_from(den).ok().filter(|d| *d > 0)?))
}

fn chroma(pixel: &PixelFacts) -> &'static str {
    match (pixel.components, pixel.log2_chroma_w, pixel.log2_chroma_h) {
        (1 | 2, ..) => "4:0:0",
        (_, 1, 1) => "4:2:0",
        (_, 1, 0) => "4:2:2",
        (_, 0, 1) => "4:4:0",
        (_, 2, 0) => "4:1:1",
        (_, 2, 2) => "4:1:0",
        _ => "4:4:4",
    }
}

fn audio_info(stream: &StreamFacts) -> AudioInfo {
    AudioInfo {
        stream: stream.index,
        codec: stream.codec.clone(),
        profile: stream.profile,
        profile_name: stream.profile_name.clone(),
        sample_rate: stream.sample_rate,
        channels: stream.channels,
        channel_layout: stream.channel_layout.clone(),
        language: language(stream),
        default: stream.default,
        duration_ms: track_ms(stream),
        bitrate: u64::try_from(stream.bitrate).ok().filter(|b| *b > 0),
        copyable: false,
    }
}

fn subtitle_info(stream: &StreamFacts) -> SubtitleInfo {
    SubtitleInfo {
        stream: stream.index,
        codec: stream.codec.clone(),
        language: language(stream),
        text: TEXTS.contains(&stream.codec.as_str()),
        default: stream.default,
        forced: stream.forced,
        duration_ms: track_ms(stream),
    }
}

fn chapters(source: &Source) -> Vec<ChapterInfo> {
    let chapter = |chapter: Chapter<'_>| {
        let unit = (chapter.time_base().numerator(), chapter.time_base().denominator());
        let title = chapter.metadata().get("title").map(|title| title.chars().take(MAX_TITLE).collect());
        let place = |time| millis(Some(time), unit).unwrap_or(0);
        ChapterInfo { start_ms: place(chapter.start()), end_ms: place(chapter.end()), title }
    };
    source.input.chapters().take(MAX_CHAPTERS).map(chapter).collect()
}

fn language(stream: &StreamFacts) -> Option<String> {
    // Containers hold at most a tag; anything longer is somebody's prose.
    stream.language.clone().filter(|l| l != "und" && (2..=35).contains(&l.len()) && l.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_muxers_note_of_a_duration_is_read() {
        assert_eq!(clock_ms("00:01:02.500000000"), Some(62_500));
        assert_eq!(clock_ms("12:00:00"), Some(43_200_000));
        for nonsense in ["", "1:2", "a:b:c", "0:0:61", "0:0:-1", "-1:0:0"] {
            assert_eq!(clock_ms(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_rate_that_is_not_the_average_varies() {
        assert!(!varies((30_000, 1001), (30, 1)));
        assert!(varies((90_000, 1), (24, 1)));
        assert!(varies((30, 1), (24, 1)));
    }

    #[test]
    fn field_orders_have_libavs_names() {
        let names: Vec<_> = (0..7).map(|number| field_order(number).unwrap_or_default()).collect();
        assert_eq!(names, ["", "progressive", "tt", "bb", "tb", "bt", ""]);
    }
}
