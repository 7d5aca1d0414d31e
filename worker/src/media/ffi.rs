//! The only file with `unsafe`: what the safe bindings do not offer. Every function here takes and returns owned or
//! borrowed safe types, so that callers cannot break libav's rules.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, c_char, c_int},
    fs::File,
    ptr,
};

use ffmpeg_next::{
    Dictionary, Error,
    ffi::{
        AVChannelOrder, AVCodecID, AVCodecParameters, AVDictionary, AVDiscard, AVFMT_FLAG_CUSTOM_IO, AVFormatContext,
        AVINDEX_KEYFRAME, AVMediaType, AVPacketSideDataType, AVPixFmtDescriptor, AVPixelFormat, AVRational,
        AVSEEK_FLAG_BACKWARD, AVStream, av_channel_layout_default, av_channel_layout_describe, av_dict_free,
        av_dict_set, av_display_rotation_get, av_frame_ref, av_pix_fmt_desc_get, av_seek_frame,
        av_stream_get_side_data, avcodec_find_decoder, avcodec_get_name, avcodec_profile_name, avformat_alloc_context,
        avformat_close_input, avformat_find_stream_info, avformat_index_get_entries_count, avformat_index_get_entry,
        avformat_open_input,
    },
    format::context::{Input, StreamIo},
    frame,
};

use super::color::ColorTags;

/// Bytes of our reader's buffer; libav's own 32 KiB costs too many calls.
const READ_BUFFER: usize = 256 << 10;

/// What a stream claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamKind {
    Video,
    Audio,
    Subtitle,
    Other,
}

/// The facts of one stream, copied out of libav's structures as plain numbers.
#[derive(Debug, Clone)]
pub(super) struct StreamFacts {
    pub(super) index: u32,
    pub(super) kind: StreamKind,
    pub(super) codec: String,
    /// libav has a decoder for it.
    pub(super) decodable: bool,
    /// Four bytes of the container's sample entry, little endian.
    pub(super) tag: u32,
    pub(super) profile: Option<i32>,
    pub(super) profile_name: Option<String>,
    pub(super) level: Option<i32>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) sample_aspect: (i32, i32),
    pub(super) frame_rate: (i32, i32),
    pub(super) average_frame_rate: (i32, i32),
    pub(super) pixel: Option<PixelFacts>,
    pub(super) field_order: i32,
    pub(super) color_range: i32,
    pub(super) color_primaries: i32,
    pub(super) color_transfer: i32,
    pub(super) color_space: i32,
    pub(super) sample_rate: u32,
    pub(super) channels: u16,
    pub(super) channel_layout: Option<String>,
    pub(super) bitrate: i64,
    pub(super) time_base: (i32, i32),
    pub(super) start: Option<i64>,
    pub(super) duration: Option<i64>,
    pub(super) attached_picture: bool,
    pub(super) default: bool,
    pub(super) forced: bool,
    pub(super) language: Option<String>,
    /// How long the track is in the words of its muxer, as Matroska's tags have it (`00:01:02.500000000`).
    pub(super) stated_duration: Option<String>,
    pub(super) dolby_vision_profile: Option<u8>,
    pub(super) display: Display,
}

/// What a display matrix asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Display {
    /// Clockwise degrees, a multiple of 90.
    pub(super) rotation: u16,
    pub(super) mirrored: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PixelFacts {
    pub(super) name: String,
    pub(super) depth: u8,
    pub(super) components: u8,
    pub(super) log2_chroma_w: u8,
    pub(super) log2_chroma_h: u8,
}

/// Opens `file` through our own reader: libav sees no name, no protocol and no address. `seen` looks at the streams the
/// header announces before any decoder is tried on them.
pub(super) fn open_input(
    file: File,
    options: &[(&str, &str)],
    codec_options: &[(&CStr, &CStr)],
    seen: impl FnOnce(&[StreamFacts]) -> bool,
) -> Result<Option<Input>, Error> {
    let mut io = StreamIo::from_read_seek_with_capacity(file, READ_BUFFER)?;
    let options: Dictionary<'_> = options.iter().copied().collect();
    // SAFETY: the context is allocated here, handed to libav (which frees it on failure of the open) and afterwards owned
    // by `Input`; the reader outlives it because both are moved into the same `Input`.
    unsafe {
        let mut context = avformat_alloc_context();
        if context.is_null() {
            return Err(Error::Other { errno: ffmpeg_next::error::ENOMEM });
        }
        (*context).pb = io.as_mut_ptr();
        (*context).flags |= AVFMT_FLAG_CUSTOM_IO;
        let mut options = options.disown();
        let opened = avformat_open_input(&raw mut context, c"input".as_ptr(), ptr::null(), &raw mut options);
        av_dict_free(&raw mut options);
        if opened < 0 {
            return Err(Error::from(opened));
        }
        if !seen(&all_facts(context)) {
            avformat_close_input(&raw mut context);
            return Ok(None);
        }
        let found = find_streams(context, codec_options);
        if found < 0 {
            avformat_close_input(&raw mut context);
            return Err(Error::from(found));
        }
        Ok(Some(Input::wrap_with_custom_io(context, io)))
    }
}

/// # Safety
/// `context` is an open input.
unsafe fn find_streams(context: *mut AVFormatContext, codec_options: &[(&CStr, &CStr)]) -> c_int {
    // SAFETY: libav wants one dictionary per stream known now and keeps none of them.
    unsafe {
        let count = (*context).nb_streams as usize;
        let mut dictionaries: Vec<*mut AVDictionary> = vec![ptr::null_mut(); count];
        for dictionary in &mut dictionaries {
            for (key, value) in codec_options {
                av_dict_set(dictionary, key.as_ptr(), value.as_ptr(), 0);
            }
        }
        let options = if count == 0 { ptr::null_mut() } else { dictionaries.as_mut_ptr() };
        let found = avformat_find_stream_info(context, options);
        for dictionary in &mut dictionaries {
            av_dict_free(dictionary);
        }
        found
    }
}

/// The facts of all streams.
pub(super) fn streams(input: &Input) -> Vec<StreamFacts> {
    // SAFETY: an `Input` always wraps an open context.
    unsafe { all_facts(input.as_ptr()) }
}

/// Lets the demuxer skip everything but `wanted`.
pub(super) fn discard_all_but(input: &mut Input, wanted: &[u32]) {
    // SAFETY: the array has `nb_streams` valid entries.
    unsafe {
        let context = input.as_mut_ptr();
        for index in 0..(*context).nb_streams {
            let stream = *(*context).streams.add(index as usize);
            (*stream).discard =
                if wanted.contains(&index) { AVDiscard::AVDISCARD_DEFAULT } else { AVDiscard::AVDISCARD_ALL };
        }
    }
}

/// Goes to the last key frame of a stream that is shown no later than `time`, in the stream's time base.
pub(super) fn seek(input: &mut Input, stream: u32, time: i64) -> Result<(), Error> {
    let stream = i32::try_from(stream).map_err(|_| Error::StreamNotFound)?;
    // SAFETY: the context is open and ours alone; libav refuses a stream that it does not have.
    let sought = unsafe { av_seek_frame(input.as_mut_ptr(), stream, time, AVSEEK_FLAG_BACKWARD) };
    if sought < 0 { Err(Error::from(sought)) } else { Ok(()) }
}

/// Where in the file the packets lie that the container's index calls key frames, ascending. What libav says of a packet is
/// its parser's word, and a key frame that is damaged is none to that.
pub(super) fn key_frames(input: &Input, stream: u32) -> Vec<i64> {
    // SAFETY: the stream's number is checked, and an entry is read before libav is called again.
    let mut found: Vec<i64> = unsafe {
        let context = input.as_ptr();
        if stream >= (*context).nb_streams {
            return Vec::new();
        }
        let stream = *(*context).streams.add(stream as usize);
        let entries = (0..avformat_index_get_entries_count(stream)).map(|at| avformat_index_get_entry(stream, at));
        let keys = entries.filter(|entry| !entry.is_null() && (**entry).flags() & AVINDEX_KEYFRAME != 0);
        keys.map(|entry| (*entry).pos).collect()
    };
    found.sort_unstable();
    found
}

/// Microseconds of the whole container, and where it starts.
pub(super) fn container_times(input: &Input) -> (Option<i64>, Option<i64>) {
    // SAFETY: an `Input` always wraps an open context.
    unsafe {
        let context = input.as_ptr();
        (known((*context).duration).filter(|d| *d > 0), known((*context).start_time))
    }
}

/// # Safety
/// `context` is an open input.
unsafe fn all_facts(context: *const AVFormatContext) -> Vec<StreamFacts> {
    // SAFETY: the array has `nb_streams` valid entries, each with parameters.
    unsafe { (0..(*context).nb_streams as usize).map(|index| facts(*(*context).streams.add(index))).collect() }
}

/// # Safety
/// `stream` belongs to an open input.
unsafe fn facts(stream: *const AVStream) -> StreamFacts {
    // SAFETY: plain reads. Colour and field order are read as numbers, for a file may put values there that the enums lack.
    unsafe {
        let par: *const AVCodecParameters = (*stream).codecpar;
        let id = (*par).codec_id;
        StreamFacts {
            index: (*stream).index.cast_unsigned(),
            kind: match (*par).codec_type {
                AVMediaType::AVMEDIA_TYPE_VIDEO => StreamKind::Video,
                AVMediaType::AVMEDIA_TYPE_AUDIO => StreamKind::Audio,
                AVMediaType::AVMEDIA_TYPE_SUBTITLE => StreamKind::Subtitle,
                _ => StreamKind::Other,
            },
            codec: text(avcodec_get_name(id)).unwrap_or_else(|| "unknown".to_owned()),
            decodable: id != AVCodecID::AV_CODEC_ID_NONE && !avcodec_find_decoder(id).is_null(),
            tag: (*par).codec_tag,
            profile: Some((*par).profile).filter(|profile| *profile >= 0),
            profile_name: text(avcodec_profile_name(id, (*par).profile)),
            level: Some((*par).level).filter(|level| *level > 0),
            width: u32::try_from((*par).width).unwrap_or(0),
            height: u32::try_from((*par).height).unwrap_or(0),
            sample_aspect: sample_aspect(stream, par),
            frame_rate: pair((*stream).r_frame_rate),
            average_frame_rate: pair((*stream).avg_frame_rate),
            pixel: pixel_facts((*par).format),
            field_order: (&raw const (*par).field_order).cast::<c_int>().read(),
            color_range: (&raw const (*par).color_range).cast::<c_int>().read(),
            color_primaries: (&raw const (*par).color_primaries).cast::<c_int>().read(),
            color_transfer: (&raw const (*par).color_trc).cast::<c_int>().read(),
            color_space: (&raw const (*par).color_space).cast::<c_int>().read(),
            sample_rate: u32::try_from((*par).sample_rate).unwrap_or(0),
            channels: u16::try_from((*par).ch_layout.nb_channels).unwrap_or(u16::MAX),
            channel_layout: channel_layout(par),
            bitrate: (*par).bit_rate,
            time_base: pair((*stream).time_base),
            start: known((*stream).start_time),
            duration: known((*stream).duration).filter(|duration| *duration > 0),
            attached_picture: (*stream).disposition
                & (ffmpeg_next::ffi::AV_DISPOSITION_ATTACHED_PIC | ffmpeg_next::ffi::AV_DISPOSITION_TIMED_THUMBNAILS)
                != 0,
            default: (*stream).disposition & ffmpeg_next::ffi::AV_DISPOSITION_DEFAULT != 0,
            forced: (*stream).disposition & ffmpeg_next::ffi::AV_DISPOSITION_FORCED != 0,
            language: metadata((*stream).metadata, c"language"),
            stated_duration: metadata((*stream).metadata, c"DURATION"),
            dolby_vision_profile: dolby_vision_profile(stream),
            display: display(stream),
        }
    }
}

/// # Safety
/// Both pointers belong to one stream.
unsafe fn sample_aspect(stream: *const AVStream, par: *const AVCodecParameters) -> (i32, i32) {
    // SAFETY: plain reads.
    let (container, codec) = unsafe { (pair((*stream).sample_aspect_ratio), pair((*par).sample_aspect_ratio)) };
    // The container's word wins over the codec's, as with libav's own tools.
    if container.0 > 0 && container.1 > 0 { container } else { codec }
}

/// # Safety
/// `stream` belongs to an open input.
unsafe fn display(stream: *const AVStream) -> Display {
    // SAFETY: a display matrix has nine 32-bit numbers; the length is checked.
    unsafe {
        let mut size = 0;
        let data = av_stream_get_side_data(stream, AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX, &raw mut size);
        if data.is_null() || size < 36 {
            return Display::default();
        }
        let mut matrix = [0_i32; 9];
        ptr::copy_nonoverlapping(data, matrix.as_mut_ptr().cast(), 36);
        let counter_clockwise = av_display_rotation_get(matrix.as_ptr());
        if !counter_clockwise.is_finite() {
            return Display::default();
        }
        let quarters = (-counter_clockwise / 90.0).round() as i64;
        let determinant = i64::from(matrix[0]) * i64::from(matrix[4]) - i64::from(matrix[1]) * i64::from(matrix[3]);
        Display { rotation: (quarters.rem_euclid(4) * 90) as u16, mirrored: determinant < 0 }
    }
}

/// # Safety
/// `stream` belongs to an open input.
unsafe fn dolby_vision_profile(stream: *const AVStream) -> Option<u8> {
    // SAFETY: the record begins with three single bytes, version, revision and profile; the length is checked.
    unsafe {
        let mut size = 0;
        let data = av_stream_get_side_data(stream, AVPacketSideDataType::AV_PKT_DATA_DOVI_CONF, &raw mut size);
        (!data.is_null() && size >= 3).then(|| *data.add(2))
    }
}

/// The properties of a pixel format by libav's number; `None` for "none" and for numbers it does not know.
fn pixel_facts(format: c_int) -> Option<PixelFacts> {
    if format < 0 || format >= AVPixelFormat::AV_PIX_FMT_NB as c_int {
        return None;
    }
    // SAFETY: the number was just checked to be one of the enum's, which is dense from 0 to NB.
    unsafe {
        let descriptor: *const AVPixFmtDescriptor =
            av_pix_fmt_desc_get(std::mem::transmute::<c_int, AVPixelFormat>(format));
        if descriptor.is_null() {
            return None;
        }
        Some(PixelFacts {
            name: text((*descriptor).name)?,
            depth: u8::try_from((*descriptor).comp[0].depth).unwrap_or(0),
            components: (*descriptor).nb_components,
            log2_chroma_w: (*descriptor).log2_chroma_w,
            log2_chroma_h: (*descriptor).log2_chroma_h,
        })
    }
}

/// # Safety
/// `par` is valid.
unsafe fn channel_layout(par: *const AVCodecParameters) -> Option<String> {
    let mut buffer = [0 as c_char; 128];
    // SAFETY: libav writes at most the length given and terminates it; a return above the length means it was cut.
    unsafe {
        if (*par).ch_layout.nb_channels <= 0 {
            return None;
        }
        let written = av_channel_layout_describe(&raw const (*par).ch_layout, buffer.as_mut_ptr(), buffer.len());
        if written <= 0 || usize::try_from(written).ok()? > buffer.len() { None } else { text(buffer.as_ptr()) }
    }
}

/// # Safety
/// `dictionary` is null or valid.
unsafe fn metadata(dictionary: *const AVDictionary, key: &CStr) -> Option<String> {
    // SAFETY: a found entry lives as long as its dictionary; the text is copied.
    unsafe {
        let entry = ffmpeg_next::ffi::av_dict_get(dictionary, key.as_ptr(), ptr::null(), 0);
        if entry.is_null() { None } else { text((*entry).value) }
    }
}

/// # Safety
/// `pointer` is null or a terminated string.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: see above; the text is copied.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

fn pair(rational: AVRational) -> (i32, i32) {
    (rational.num, rational.den)
}

fn known(time: i64) -> Option<i64> {
    Some(time).filter(|time| *time != ffmpeg_next::ffi::AV_NOPTS_VALUE)
}

/// Another reference to the same pixels; no copy.
pub(super) fn share(frame: &frame::Video) -> Result<frame::Video, Error> {
    let mut shared = frame::Video::empty();
    // SAFETY: both frames are allocated; libav counts the references.
    let result = unsafe { av_frame_ref(shared.as_mut_ptr(), frame.as_ptr()) };
    if result < 0 { Err(Error::from(result)) } else { Ok(shared) }
}

/// The frame's colour tags as numbers.
pub(super) fn color_tags(frame: &frame::Video) -> ColorTags {
    // SAFETY: plain reads, as numbers because a file may put values there that the enums lack.
    unsafe {
        let raw = frame.as_ptr();
        let range = (&raw const (*raw).color_range).cast::<c_int>().read();
        ColorTags {
            primaries: (&raw const (*raw).color_primaries).cast::<c_int>().read(),
            transfer: (&raw const (*raw).color_trc).cast::<c_int>().read(),
            matrix: (&raw const (*raw).colorspace).cast::<c_int>().read(),
            full_range: range == 2 || pixel_name(frame).starts_with("yuvj"),
        }
    }
}

/// Tags a frame; its pixels stay.
pub(super) fn set_color_tags(frame: &mut frame::Video, tags: ColorTags) {
    // SAFETY: plain writes of numbers that came from libav or from H.273.
    unsafe {
        let raw = frame.as_mut_ptr();
        (&raw mut (*raw).color_range).cast::<c_int>().write(if tags.full_range { 2 } else { 1 });
        (&raw mut (*raw).color_primaries).cast::<c_int>().write(tags.primaries);
        (&raw mut (*raw).color_trc).cast::<c_int>().write(tags.transfer);
        (&raw mut (*raw).colorspace).cast::<c_int>().write(tags.matrix);
    }
}

/// Tells an encoder which colours its frames have.
pub(super) fn set_encoder_tags(encoder: &mut ffmpeg_next::codec::Context, tags: ColorTags) {
    // SAFETY: as above, before the encoder is opened.
    unsafe {
        let raw = encoder.as_mut_ptr();
        (&raw mut (*raw).color_range).cast::<c_int>().write(if tags.full_range { 2 } else { 1 });
        (&raw mut (*raw).color_primaries).cast::<c_int>().write(tags.primaries);
        (&raw mut (*raw).color_trc).cast::<c_int>().write(tags.transfer);
        (&raw mut (*raw).colorspace).cast::<c_int>().write(tags.matrix);
    }
}

/// libav's name of the frame's pixel format; empty when it has none.
pub(super) fn pixel_name(frame: &frame::Video) -> String {
    // SAFETY: a plain read.
    let format = unsafe { (*frame.as_ptr()).format };
    pixel_facts(format).map(|facts| facts.name).unwrap_or_default()
}

/// Whether the lines of a picture lie backwards in memory, so that its planes are no slices.
pub(super) fn is_backwards(frame: &frame::Video) -> bool {
    // SAFETY: plain reads.
    unsafe { (*frame.as_ptr()).linesize.iter().any(|size| *size < 0) }
}

/// Gives an audio frame a layout when it only has a number of channels, and returns the layout's name.
pub(super) fn settle_layout(frame: &mut frame::Audio) -> String {
    let mut buffer = [0 as c_char; 128];
    // SAFETY: the layout belongs to the frame; libav writes at most the length given and terminates it.
    unsafe {
        let raw = frame.as_mut_ptr();
        let channels = (*raw).ch_layout.nb_channels;
        if (*raw).ch_layout.order == AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC {
            av_channel_layout_default(&raw mut (*raw).ch_layout, channels);
        }
        let written = av_channel_layout_describe(&raw const (*raw).ch_layout, buffer.as_mut_ptr(), buffer.len());
        let cut = usize::try_from(written).is_ok_and(|written| written > buffer.len());
        if written <= 0 || cut { format!("{channels}c") } else { text(buffer.as_ptr()).unwrap_or_default() }
    }
}

/// How many threads a filter graph may use; to be called before filters are added.
pub(super) fn limit_threads(graph: &mut ffmpeg_next::filter::Graph, threads: u32) {
    // SAFETY: a plain write to a graph that has no filters yet.
    unsafe { (*graph.as_mut_ptr()).nb_threads = c_int::try_from(threads).unwrap_or(1).max(1) };
}

/// What the container shall call the codec; zero lets it choose. One container's word means nothing to another.
pub(super) fn set_tag(parameters: &mut ffmpeg_next::codec::Parameters, tag: u32) {
    // SAFETY: a plain write to parameters that the caller owns.
    unsafe { (*parameters.as_mut_ptr()).codec_tag = tag };
}

/// Whether a packet changes what the decoder was set up with.
pub(super) fn changes_codec(packet: &ffmpeg_next::Packet) -> bool {
    packet.side_data().any(|data| data.kind() == ffmpeg_next::codec::packet::side_data::Type::NewExtraData)
}

/// What a track's decoder is set up with; empty when that lies in the packets alone.
pub(super) fn header(parameters: &ffmpeg_next::codec::Parameters) -> Vec<u8> {
    // SAFETY: libav keeps pointer and size in step for as long as the parameters live; the bytes are copied.
    unsafe {
        let raw = parameters.as_ptr();
        bytes((*raw).extradata, (*raw).extradata_size)
    }
}

/// An encoder's global header (for H.264 the parameter sets); empty when it has none.
pub(super) fn extradata(codec: &ffmpeg_next::codec::Context) -> Vec<u8> {
    // SAFETY: libav keeps pointer and size in step for as long as the context lives; the bytes are copied.
    unsafe {
        let raw = codec.as_ptr();
        bytes((*raw).extradata, (*raw).extradata_size)
    }
}

/// # Safety
/// `data` is null or has `size` bytes.
unsafe fn bytes(data: *const u8, size: c_int) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(0);
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: see above; the bytes are copied.
    unsafe { std::slice::from_raw_parts(data, size) }.to_vec()
}
