//! HEVC configuration: of `hvcC` and the sequence parameter sets in it (ITU-T H.265, 7.3.2.2) only the colour, which lies behind
//! nearly everything else that a parameter set says. What cannot be read says nothing.

use crate::{
    bits::{Bits, unescape},
    vui::{Colour, read_vui},
};

/// Bytes of `hvcC` in front of its arrays, whose number is the last of them.
const HEAD: usize = 23;
const SPS: u8 = 33;
/// Bits of a profile, without its level.
const PROFILE_BITS: u32 = 88;
const MAX_SHORT_TERM_SETS: u32 = 64;
const MAX_PICTURES: u32 = 16;
const MAX_LONG_TERM: u32 = 32;

/// The colour of the first parameter set that names one.
pub(crate) fn read_hvcc_colour(payload: &[u8]) -> Option<Colour> {
    let (head, mut rest) = payload.split_at_checked(HEAD)?;
    for _ in 0..*head.last()? {
        let ([kind, high, low], after) = rest.split_first_chunk::<3>()?;
        rest = after;
        for _ in 0..u16::from_be_bytes([*high, *low]) {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = after;
            if kind & 63 == SPS
                && let Some(colour) = read_sps_colour(unit)
            {
                return Some(colour);
            }
        }
    }
    None
}

/// Of one NAL unit, its header of two bytes included.
fn read_sps_colour(unit: &[u8]) -> Option<Colour> {
    let body = unescape(unit.get(2..)?);
    let mut bits = Bits { bytes: &body, at: 0 };
    bits.bits(4)?;
    let layers = bits.bits(3)?;
    bits.flag()?;
    skip_profiles(&mut bits, layers)?;
    skip_format(&mut bits)?;
    let poc_bits = bits.golomb()?.checked_add(4).filter(|count| *count <= 16)?;
    let ordered = if bits.flag()? { layers + 1 } else { 1 };
    // The order of pictures for each layer, then sizes of blocks and depths of transforms.
    for _ in 0..3 * ordered + 6 {
        bits.golomb()?;
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(&mut bits)?;
    }
    bits.bits(2)?;
    if bits.flag()? {
        skip_pcm(&mut bits)?;
    }
    skip_short_term_sets(&mut bits)?;
    if bits.flag()? {
        for _ in 0..bits.golomb().filter(|count| *count <= MAX_LONG_TERM)? {
            bits.bits(poc_bits + 1)?;
        }
    }
    bits.bits(2)?;
    read_vui(&mut bits).colour
}

/// 7.3.3: the general profile and level, then of each layer those it has.
fn skip_profiles(bits: &mut Bits<'_>, layers: u32) -> Option<()> {
    skip(bits, PROFILE_BITS + 8)?;
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if layers > 0 {
        skip(bits, 2 * (8 - layers))?;
    }
    for (profile, level) in present {
        skip(bits, if profile { PROFILE_BITS } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

/// From the set's number to the depths of its samples.
fn skip_format(bits: &mut Bits<'_>) -> Option<()> {
    bits.golomb()?;
    if bits.golomb()? == 3 {
        bits.flag()?;
    }
    bits.golomb()?;
    bits.golomb()?;
    let cropped = bits.flag()?;
    // Four edges, two depths.
    for _ in 0..if cropped { 6 } else { 2 } {
        bits.golomb()?;
    }
    Some(())
}

/// 7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4_u32 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !bits.flag()? {
                bits.golomb()?;
                continue;
            }
            let coefficients = 64.min(1 << (4 + 2 * size)) + u32::from(size > 1);
            for _ in 0..coefficients {
                bits.golomb()?;
            }
        }
    }
    Some(())
}

fn skip_pcm(bits: &mut Bits<'_>) -> Option<()> {
    bits.bits(8)?;
    bits.golomb()?;
    bits.golomb()?;
    bits.flag().map(drop)
}

/// 7.3.7: sets of reference pictures, each of its own or as a change of the one before it.
fn skip_short_term_sets(bits: &mut Bits<'_>) -> Option<()> {
    let sets = bits.golomb().filter(|sets| *sets <= MAX_SHORT_TERM_SETS)?;
    let mut pictures = 0;
    for set in 0..sets {
        pictures = if set > 0 && bits.flag()? { skip_change(bits, pictures)? } else { skip_set(bits)? };
    }
    Some(())
}

/// How many pictures the set has.
fn skip_change(bits: &mut Bits<'_>, before: u32) -> Option<u32> {
    bits.flag()?;
    bits.golomb()?;
    let mut pictures = 0;
    for _ in 0..=before {
        pictures += u32::from(bits.flag()? || bits.flag()?);
    }
    Some(pictures)
}

fn skip_set(bits: &mut Bits<'_>) -> Option<u32> {
    let pictures = bits.golomb()?.checked_add(bits.golomb()?).filter(|count| *count <= MAX_PICTURES)?;
    for _ in 0..pictures {
        bits.golomb()?;
        bits.flag()?;
    }
    Some(pictures)
}

fn skip(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    (0..count).try_for_each(|_| bits.bit().map(drop))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(mut payload in prop::collection::vec(any::<u8>(), 0..600), sets in 0..4_u8) {
            // One array of parameter sets with one unit, as far as the bytes go.
            if payload.len() > HEAD + 5 {
                payload[HEAD - 1] = 1;
                payload[HEAD..HEAD + 5].copy_from_slice(&[SPS, 0, sets, 1, 0]);
            }
            read_hvcc_colour(&payload);
        }
    }
}
