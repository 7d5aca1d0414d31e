//! Sample entries (`stsd`): which codec a track has and how it is configured. Unknown ones are kept by name only.

use crate::{
    avc::{AvcConfig, read_avcc},
    boxes::children,
    bytes::Bytes,
    error::Mp4Error,
    esds::{AacConfig, read_audio_config, read_esds},
    fourcc::FourCc,
    track_kind::TrackKind,
    vui::Colour,
};

/// More descriptions than this in one track are refused.
const MAX_ENTRIES: usize = 64;

/// One description of how samples are coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleEntry {
    /// `avc1`, `mp4a`, ...
    pub format: FourCc,
    /// 1-based.
    pub data_reference: u16,
    pub codec: Codec,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    Video(VideoEntry),
    Audio(AudioEntry),
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VideoEntry {
    pub width: u16,
    pub height: u16,
    /// `pasp`.
    pub pixel_aspect: Option<(u32, u32)>,
    /// `fiel` says two fields a frame.
    pub two_fields: bool,
    pub avc: Option<AvcConfig>,
    /// `colr`, as numbers of ITU-T H.273.
    pub colour: Option<Colour>,
    /// Payload of `hvcC`, `av1C` or `vpcC`, with the box's name.
    pub config: Option<(FourCc, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AudioEntry {
    /// As the entry says; decoders go by the codec's own configuration.
    pub channels: u32,
    pub sample_rate: u32,
    /// MPEG-4 object type: 0x40 AAC, 0x6b MP3, ...
    pub object_type: Option<u8>,
    pub aac: Option<AacConfig>,
    /// Payload of `dOps`, `dac3`, `dec3`, `dfLa` or `alac`, with the box's name.
    pub config: Option<(FourCc, Vec<u8>)>,
}

pub(crate) fn read_stsd(payload: &[u8], kind: TrackKind) -> Result<Vec<SampleEntry>, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"stsd"), payload);
    let (version, _) = bytes.full()?;
    bytes.u32()?;
    let mut entries = Vec::new();
    for child in children(bytes.rest()) {
        let child = child?;
        if entries.len() >= MAX_ENTRIES {
            return Err(Mp4Error::Limit { what: "sample descriptions", limit: MAX_ENTRIES as u64 });
        }
        entries.push(read_entry(child.kind, child.payload, kind, version)?);
    }
    Ok(entries)
}

fn read_entry(format: FourCc, payload: &[u8], kind: TrackKind, version: u8) -> Result<SampleEntry, Mp4Error> {
    let mut bytes = Bytes::new(format, payload);
    bytes.skip(6)?;
    let data_reference = bytes.u16()?;
    let codec = match kind {
        TrackKind::Video => Codec::Video(read_video(bytes)?),
        TrackKind::Audio => Codec::Audio(read_audio(bytes, version)?),
        _ => Codec::Other,
    };
    Ok(SampleEntry { format, data_reference, codec })
}

fn read_video(mut bytes: Bytes<'_>) -> Result<VideoEntry, Mp4Error> {
    bytes.skip(16)?;
    let mut entry = VideoEntry { width: bytes.u16()?, height: bytes.u16()?, ..VideoEntry::default() };
    bytes.skip(50)?;
    // QuickTime ends a description with loose bytes that are no box: what cannot be read is the end.
    for child in children(bytes.rest()).map_while(Result::ok) {
        let mut fields = Bytes::new(child.kind, child.payload);
        match &child.kind.0 {
            b"avcC" => entry.avc = Some(read_avcc(child.payload)?),
            b"hvcC" | b"av1C" | b"vpcC" => entry.config = Some((child.kind, child.payload.to_vec())),
            b"pasp" => entry.pixel_aspect = Some((fields.u32()?, fields.u32()?)),
            b"colr" => entry.colour = read_colour(fields).or(entry.colour),
            b"fiel" => entry.two_fields = fields.u8()? == 2,
            _ => {}
        }
    }
    Ok(entry)
}

/// ISO's `nclx` and QuickTime's `nclc`, which knows no full range; colour profiles are none of ours.
fn read_colour(mut bytes: Bytes<'_>) -> Option<Colour> {
    let kind = bytes.array::<4>().ok()?;
    let [primaries, transfer, matrix] = [bytes.u16().ok()?, bytes.u16().ok()?, bytes.u16().ok()?];
    match &kind {
        b"nclx" => Some(Colour { primaries, transfer, matrix, full_range: bytes.u8().ok()? & 0x80 != 0 }),
        b"nclc" => Some(Colour { primaries, transfer, matrix, full_range: false }),
        _ => None,
    }
}

/// QuickTime's sound description has versions 0, 1 and 2; ISO's own version 1 (told by the version of `stsd`) has the
/// length of 0.
fn read_audio(mut bytes: Bytes<'_>, stsd_version: u8) -> Result<AudioEntry, Mp4Error> {
    let version = bytes.u16()?;
    bytes.skip(6)?;
    let channels = u32::from(bytes.u16()?);
    bytes.skip(6)?;
    let sample_rate = bytes.u32()? >> 16;
    let mut entry = AudioEntry { channels, sample_rate, ..AudioEntry::default() };
    match version {
        1 if stsd_version == 0 => bytes.skip(16)?,
        2 => {
            bytes.u32()?;
            // A float beyond the range of the type saturates and NaN becomes zero.
            entry.sample_rate = f64::from_bits(bytes.u64()?) as u32;
            entry.channels = bytes.u32()?;
            bytes.skip(20)?;
        }
        _ => {}
    }
    read_audio_boxes(&mut entry, bytes.rest(), true)?;
    Ok(entry)
}

fn read_audio_boxes(entry: &mut AudioEntry, payload: &[u8], outer: bool) -> Result<(), Mp4Error> {
    for child in children(payload).map_while(Result::ok) {
        match &child.kind.0 {
            b"wave" if outer => read_audio_boxes(entry, child.payload, false)?,
            b"esds" => {
                let esds = read_esds(child.payload)?;
                entry.object_type = Some(esds.object_type);
                if matches!(esds.object_type, 0x40 | 0x66..=0x68) {
                    entry.aac = esds.specific.as_deref().and_then(read_audio_config);
                }
            }
            b"dOps" | b"dac3" | b"dec3" | b"dfLa" | b"alac" => {
                entry.config = Some((child.kind, child.payload.to_vec()));
            }
            _ => {}
        }
    }
    Ok(())
}
