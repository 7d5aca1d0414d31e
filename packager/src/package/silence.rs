//! A frame of silence in AAC-LC (ISO/IEC 14496-3, 4.4.2.1): every element of the layout with no band transmitted, which any
//! decoder turns into zeros.

use crate::esds::AacConfig;

/// Elements of channel configurations 1 to 6 (table 1.19): single, pair, low frequency effects.
const LAYOUTS: [&[u8]; 6] =
    [&[SINGLE], &[PAIR], &[SINGLE, PAIR], &[SINGLE, PAIR, SINGLE], &[SINGLE, PAIR, PAIR], &[SINGLE, PAIR, PAIR, LFE]];
const SINGLE: u8 = 0;
const PAIR: u8 = 1;
const LFE: u8 = 3;
const END: u8 = 7;

/// Samples of a frame.
pub(super) const FRAME_SAMPLES: u32 = 1024;

/// One silent frame for a decoder of this configuration; nothing for configurations other than plain AAC-LC of up to six
/// channels in frames of 1,024 samples.
pub(super) fn silent_frame(aac: &AacConfig) -> Option<Vec<u8>> {
    // The bit behind type, rate and channels says that frames have 960 samples; a rate written out moves it.
    let short_frames = aac.raw.get(1).is_none_or(|byte| byte & 4 != 0);
    if aac.object_type != 2 || aac.sbr || short_frames {
        return None;
    }
    let layout = LAYOUTS.get(usize::from(aac.channels).checked_sub(1)?)?;
    let mut bits = BitWriter::default();
    let mut tags = [0_u8; 8];
    for element in *layout {
        bits.put(u32::from(*element), 3);
        let tag = tags.get_mut(usize::from(*element))?;
        bits.put(u32::from(*tag), 4);
        *tag += 1;
        put_element(&mut bits, *element);
    }
    bits.put(u32::from(END), 3);
    Some(bits.bytes)
}

fn put_element(bits: &mut BitWriter, element: u8) {
    // reserved, long window, window shape, no bands, no prediction
    const ICS_INFO: u32 = 1 + 2 + 1 + 6 + 1;
    // no pulses, no noise shaping, no gain control
    const TOOLS: u32 = 3;
    const GAIN: u32 = 8;
    if element == PAIR {
        // One ics_info for both, no mid/side coding.
        bits.put(1, 1);
        bits.put(0, ICS_INFO);
        bits.put(0, 2);
        bits.put(0, 2 * (GAIN + TOOLS));
    } else {
        bits.put(0, GAIN + ICS_INFO + TOOLS);
    }
}

#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    /// The lowest `count` bits of `value`, most significant first.
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev().map(|n| value >> n & 1) {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= (bit as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::esds::read_audio_config;

    #[test]
    fn silence_is_a_few_bytes() {
        let frame = |raw: &[u8]| silent_frame(&read_audio_config(raw).unwrap());
        assert_eq!(frame(&[0x12, 0x08]), Some(vec![0, 0, 0, 7]));
        assert_eq!(frame(&[0x12, 0x10]).map(|bytes| bytes.len()), Some(6));
        assert_eq!(frame(&[0x12, 0x14]), None);
        assert_eq!(frame(&[0x2b, 0x92, 0x08, 0x00]), None);
    }
}
