//! What is in a source: the streams we would show, judged by decodability, with display geometry and durations.

use reelgate_common::media_info::{AudioInfo, MediaInfo, SubtitleInfo, VideoInfo};

use super::{
    color,
    error::MediaError,
    ffi::{self, PixelFacts, StreamFacts, StreamKind},
    input::{Source, too_many_pixels},
    limits,
};

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
    // Matroska's tracks state no duration; what libav shows there is the container's.
    let ends = ends.filter(|_| !source.input.format().name().starts_with("matroska"));
    let by_streams = ends.and_then(|ends| ends.into_iter().max()).map(|end| end.saturating_sub(start.max(0)));
    let wanted: Vec<u32> = chosen.map(|s| s.index).collect();
    // Where the tracks state nothing, the container's word may be that of a subtitle, which nobody waits for.
    let foreign = source.streams.len() > wanted.len();
    let container = ffi::container_times(&source.input).0;
    let scannable = !source.sparse && source.size <= limits::SCAN_BYTES;
    let micros = match (by_streams.filter(|d| *d > 0), container) {
        (Some(stated), _) => stated,
        (None, Some(stated)) if !foreign || !scannable => stated,
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
        interlaced: stream.field_order > 1,
        color_primaries: color::primaries_name(stream.color_primaries).map(str::to_owned),
        color_transfer: color::transfer_name(stream.color_transfer).map(str::to_owned),
        color_space: color::matrix_name(stream.color_space).map(str::to_owned),
        full_range: stream.color_range == 2 || pixel.is_some_and(|p| p.name.starts_with("yuvj")),
        duration_ms: millis(stream.duration, stream.time_base),
        bitrate: u64::try_from(stream.bitrate).ok().filter(|b| *b > 0),
        ..VideoInfo::default()
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
        duration_ms: millis(stream.duration, stream.time_base),
        bitrate: u64::try_from(stream.bitrate).ok().filter(|b| *b > 0),
        copyable: false,
    }
}

fn subtitle_info(stream: &StreamFacts) -> SubtitleInfo {
    let text = matches!(stream.codec.as_str(), "subrip" | "srt" | "mov_text" | "webvtt" | "ass" | "ssa" | "text");
    SubtitleInfo {
        stream: stream.index,
        codec: stream.codec.clone(),
        language: language(stream),
        text,
        ..SubtitleInfo::default()
    }
}

fn language(stream: &StreamFacts) -> Option<String> {
    // Containers hold at most a tag; anything longer is somebody's prose.
    stream.language.clone().filter(|l| l != "und" && (2..=35).contains(&l.len()) && l.is_ascii())
}
