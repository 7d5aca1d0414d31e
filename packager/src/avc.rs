//! H.264 configuration: `avcC` and the sequence parameter sets in it (ITU-T H.264, 7.3.2.1.1), as far as a judgement about
//! playing needs them: profile, chroma, depth, interlacing, size, pixel aspect and colour.

use crate::{
    bits::{Bits, unescape},
    bytes::Bytes,
    error::Mp4Error,
    fourcc::FourCc,
    vui::{Colour, Vui, read_vui},
};

/// What `avcC` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvcConfig {
    pub profile: u8,
    /// The constraint flags.
    pub compatibility: u8,
    /// 10 × the level.
    pub level: u8,
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub nal_length: u8,
    pub sps: Vec<Sps>,
    /// The box's payload, to be written into an init segment.
    pub raw: Vec<u8>,
}

/// A sequence parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sps {
    pub profile: u8,
    pub compatibility: u8,
    pub level: u8,
    /// 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma: u8,
    pub luma_bits: u8,
    pub chroma_bits: u8,
    /// Whether every picture is a whole frame; else fields or MBAFF may occur.
    pub frame_mbs_only: bool,
    /// Pixels after cropping.
    pub width: u32,
    pub height: u32,
    /// Pixel aspect; `None` when unsaid.
    pub sample_aspect: Option<(u16, u16)>,
    /// `None` when unsaid.
    pub colour: Option<Colour>,
}

const AVCC: FourCc = FourCc(*b"avcC");
const BAD_SPS: Mp4Error = Mp4Error::Malformed { what: AVCC, why: "a sequence parameter set cannot be read" };

pub(crate) fn read_avcc(payload: &[u8]) -> Result<AvcConfig, Mp4Error> {
    let mut bytes = Bytes::new(AVCC, payload);
    let [version, profile, compatibility, level, lengths, sets] = bytes.array()?;
    if version != 1 {
        return Err(Mp4Error::Malformed { what: AVCC, why: "its version is not 1" });
    }
    let mut sps = Vec::new();
    for _ in 0..sets & 31 {
        let length = usize::from(bytes.u16()?);
        sps.push(read_sps(bytes.take(length)?).ok_or(BAD_SPS)?);
    }
    let nal_length = (lengths & 3) + 1;
    Ok(AvcConfig { profile, compatibility, level, nal_length, sps, raw: payload.to_vec() })
}

/// Reads one NAL unit of type 7, header included.
fn read_sps(nal: &[u8]) -> Option<Sps> {
    let (header, body) = nal.split_first()?;
    if header & 31 != 7 {
        return None;
    }
    let body = unescape(body);
    let mut bits = Bits { bytes: &body, at: 0 };
    let [profile, compatibility, level] = [bits.byte()?, bits.byte()?, bits.byte()?];
    bits.golomb()?;
    let format = if has_chroma_format(profile) { read_format(&mut bits)? } else { Format::default() };
    skip_order(&mut bits)?;
    let columns = bits.golomb()?.checked_add(1)?;
    let map_units = bits.golomb()?.checked_add(1)?;
    let frame_mbs_only = bits.flag()?;
    if !frame_mbs_only {
        bits.flag()?;
    }
    bits.flag()?;
    let frame_factor = if frame_mbs_only { 1 } else { 2 };
    let crop = read_crop(&mut bits, format, frame_factor)?;
    let width = columns.checked_mul(16)?.checked_sub(crop.0)?;
    let height = map_units.checked_mul(16)?.checked_mul(frame_factor)?.checked_sub(crop.1)?;
    // What follows is optional and often cut by sloppy writers: no aspect and no colour then, rather than no file.
    let Vui { sample_aspect, colour } = read_vui(&mut bits);
    let Format { chroma, luma_bits, chroma_bits, .. } = format;
    let depth = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    Some(Sps {
        profile,
        compatibility,
        level,
        chroma: u8::try_from(chroma).unwrap_or(u8::MAX),
        luma_bits: depth(luma_bits),
        chroma_bits: depth(chroma_bits),
        frame_mbs_only,
        width,
        height,
        sample_aspect,
        colour,
    })
}

/// Profiles whose parameter sets carry chroma format and bit depth (7.3.2.1.1).
fn has_chroma_format(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

#[derive(Clone, Copy)]
struct Format {
    chroma: u32,
    separate_planes: bool,
    luma_bits: u32,
    chroma_bits: u32,
}

impl Default for Format {
    fn default() -> Self {
        Self { chroma: 1, separate_planes: false, luma_bits: 8, chroma_bits: 8 }
    }
}

fn read_format(bits: &mut Bits<'_>) -> Option<Format> {
    let chroma = bits.golomb()?;
    let separate_planes = chroma == 3 && bits.flag()?;
    let luma_bits = bits.golomb()?.checked_add(8)?;
    let chroma_bits = bits.golomb()?.checked_add(8)?;
    bits.flag()?;
    if bits.flag()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(Format { chroma, separate_planes, luma_bits, chroma_bits })
}

/// 7.3.2.1.1.1: the list ends early where the scale becomes zero.
fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let mut last: i64 = 8;
    for _ in 0..size {
        last = (last + bits.signed_golomb()?).rem_euclid(256);
        if last == 0 {
            break;
        }
    }
    Some(())
}

/// Frame numbers and picture order.
fn skip_order(bits: &mut Bits<'_>) -> Option<()> {
    bits.golomb()?;
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.flag()?;
            bits.golomb()?;
            bits.golomb()?;
            let cycle = bits.golomb()?;
            if cycle > 255 {
                return None;
            }
            for _ in 0..cycle {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    bits.flag().map(|_| ())
}

/// Pixels cut from width and height (equations 7-19 to 7-22).
fn read_crop(bits: &mut Bits<'_>, format: Format, frame_factor: u32) -> Option<(u32, u32)> {
    if !bits.flag()? {
        return Some((0, 0));
    }
    let [left, right, top, bottom] = [bits.golomb()?, bits.golomb()?, bits.golomb()?, bits.golomb()?];
    let (x, y) = match format.chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let (x, y) = if format.separate_planes { (1, 1) } else { (x, y) };
    let width = left.checked_add(right)?.checked_mul(x)?;
    let height = top.checked_add(bottom)?.checked_mul(y * frame_factor)?;
    Some((width, height))
}
