//! MPEG-4 elementary stream descriptors (`esds`, ISO/IEC 14496-1) and the AudioSpecificConfig in them (14496-3, 1.6.2.1).

use crate::{bits::Bits, bytes::Bytes, error::Mp4Error, fourcc::FourCc};

/// What `esds` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Esds {
    /// 0x40 MPEG-4 audio, 0x66 to 0x68 MPEG-2 AAC, 0x69 and 0x6b MP3.
    pub(crate) object_type: u8,
    pub(crate) specific: Option<Vec<u8>>,
}

/// An AudioSpecificConfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AacConfig {
    /// 2 AAC-LC, 5 SBR (HE-AAC), 29 PS (HE-AAC v2), 42 xHE-AAC.
    pub object_type: u8,
    /// Of the core coder.
    pub sample_rate: u32,
    /// Channels by the configuration number; 0 when they are described elsewhere.
    pub channels: u16,
    /// Whether spectral band replication is signalled, in either way.
    pub sbr: bool,
    /// As in the file, to be written into an init segment.
    pub raw: Vec<u8>,
}

const ESDS: FourCc = FourCc(*b"esds");

pub(crate) fn read_esds(payload: &[u8]) -> Result<Esds, Mp4Error> {
    let mut bytes = Bytes::new(ESDS, payload);
    bytes.full()?;
    let mut es = descriptor(&mut bytes, 3)?;
    es.u16()?;
    let flags = es.u8()?;
    if flags & 0x80 != 0 {
        es.u16()?;
    }
    if flags & 0x40 != 0 {
        let url = usize::from(es.u8()?);
        es.skip(url)?;
    }
    if flags & 0x20 != 0 {
        es.u16()?;
    }
    let mut decoder = descriptor(&mut es, 4)?;
    let object_type = decoder.u8()?;
    decoder.skip(12)?;
    let specific = descriptor(&mut decoder, 5).ok().map(|specific| specific.rest().to_vec());
    Ok(Esds { object_type, specific })
}

/// Enters the descriptor with this tag. A length beyond what is there is taken as all there is, since writers that miscount
/// the outer ones are common and players do not mind.
fn descriptor<'a>(bytes: &mut Bytes<'a>, tag: u8) -> Result<Bytes<'a>, Mp4Error> {
    if bytes.u8()? != tag {
        return Err(Mp4Error::Malformed { what: ESDS, why: "its descriptors are not the expected ones" });
    }
    let mut length = 0_usize;
    for _ in 0..4 {
        let byte = bytes.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let length = length.min(bytes.rest().len());
    Ok(Bytes::new(ESDS, bytes.take(length)?))
}

pub(crate) fn read_audio_config(raw: &[u8]) -> Option<AacConfig> {
    let mut bits = Bits { bytes: raw, at: 0 };
    let mut object_type = read_object_type(&mut bits)?;
    let sample_rate = read_rate(&mut bits)?;
    let channels = match bits.bits(4)? {
        7 => 8,
        11 => 7,
        12 | 14 => 8,
        n @ 0..=6 => n as u16,
        _ => 0,
    };
    let mut sbr = matches!(object_type, 5 | 29);
    let signalled = object_type;
    if sbr {
        read_rate(&mut bits)?;
        object_type = signalled;
    } else if object_type == 2 {
        sbr = has_backward_sbr(&mut bits).unwrap_or(false);
    }
    Some(AacConfig { object_type, sample_rate, channels, sbr, raw: raw.to_vec() })
}

fn read_object_type(bits: &mut Bits<'_>) -> Option<u8> {
    match bits.bits(5)? {
        31 => bits.bits(6).map(|value| value as u8 + 32),
        value => Some(value as u8),
    }
}

fn read_rate(bits: &mut Bits<'_>) -> Option<u32> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
    match bits.bits(4)? {
        15 => bits.bits(24),
        index => RATES.get(index as usize).copied(),
    }
}

/// The extension behind a plain AAC-LC configuration which says that SBR follows (sync 0x2b7).
fn has_backward_sbr(bits: &mut Bits<'_>) -> Option<bool> {
    bits.flag()?;
    if bits.flag()? {
        bits.bits(14)?;
    }
    bits.flag()?;
    if bits.bits(11)? != 0x2b7 {
        return Some(false);
    }
    Some(read_object_type(bits)? == 5 && bits.flag()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_aac_lc_is_read() {
        let config = read_audio_config(&[0x12, 0x10]).unwrap();
        assert_eq!((config.object_type, config.sample_rate, config.channels, config.sbr), (2, 44_100, 2, false));
    }

    #[test]
    fn both_ways_to_signal_sbr_are_seen() {
        assert!(read_audio_config(&[0x2b, 0x92, 0x08, 0x00]).unwrap().sbr);
        assert!(read_audio_config(&[0x13, 0x90, 0x56, 0xe5, 0xa0]).unwrap().sbr);
        assert!(!read_audio_config(&[0x11, 0x90, 0x56, 0xe5, 0x00]).unwrap().sbr);
    }
}
