//! What a sequence parameter set says about showing its pictures (VUI, annex E of ITU-T H.264): pixel aspect and colour.

use crate::bits::Bits;

/// How a picture's numbers are colours, as numbers of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    pub primaries: u16,
    pub transfer: u16,
    pub matrix: u16,
    pub full_range: bool,
}

/// As much of it as could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Vui {
    pub(crate) sample_aspect: Option<(u16, u16)>,
    pub(crate) colour: Option<Colour>,
}

/// From `vui_parameters_present_flag` on.
pub(crate) fn read_vui(bits: &mut Bits<'_>) -> Vui {
    let mut vui = Vui::default();
    fill(&mut vui, bits);
    vui
}

/// Nothing is past the end.
fn fill(vui: &mut Vui, bits: &mut Bits<'_>) -> Option<()> {
    if !bits.flag()? {
        return None;
    }
    if bits.flag()? {
        vui.sample_aspect = read_aspect(bits)?;
    }
    let overscan = bits.flag()?;
    if overscan {
        bits.flag()?;
    }
    if bits.flag()? {
        vui.colour = read_colour(bits)?;
    }
    Some(())
}

/// Table E-1; the inner `None` is "unspecified".
fn read_aspect(bits: &mut Bits<'_>) -> Option<Option<(u16, u16)>> {
    const TABLE: [(u16, u16); 16] = [
        (1, 1),
        (12, 11),
        (10, 11),
        (16, 11),
        (40, 33),
        (24, 11),
        (20, 11),
        (32, 11),
        (80, 33),
        (18, 11),
        (15, 11),
        (64, 33),
        (160, 99),
        (4, 3),
        (3, 2),
        (2, 1),
    ];
    match bits.byte()? {
        0 => Some(None),
        255 => {
            let aspect = (bits.bits(16)? as u16, bits.bits(16)? as u16);
            Some((aspect.0 != 0 && aspect.1 != 0).then_some(aspect))
        }
        id => Some(TABLE.get(usize::from(id) - 1).copied()),
    }
}

/// The video signal type; the inner `None` is one without a description.
fn read_colour(bits: &mut Bits<'_>) -> Option<Option<Colour>> {
    bits.bits(3)?;
    let full_range = bits.flag()?;
    if !bits.flag()? {
        return Some(None);
    }
    let [primaries, transfer, matrix] = [bits.byte()?, bits.byte()?, bits.byte()?].map(u16::from);
    Some(Some(Colour { primaries, transfer, matrix, full_range }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of zeros and ones; other characters are for the eye.
    fn read(text: &str) -> Vui {
        let digits: Vec<u8> = text.bytes().filter(|c| matches!(c, b'0' | b'1')).map(|c| c - b'0').collect();
        let bytes: Vec<u8> = digits
            .chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |sum, (n, bit)| sum | bit << (7 - n)))
            .collect();
        read_vui(&mut Bits { bytes: &bytes, at: 0 })
    }

    const HLG: &str = "00001001 00010010 00001001";

    #[test]
    fn colour_is_found_behind_whatever_precedes_it() {
        let colour = Some(Colour { primaries: 9, transfer: 18, matrix: 9, full_range: true });
        let plain = Vui { sample_aspect: None, colour };
        assert_eq!(read(&format!("1 0 0 1 101 1 1 {HLG}")), plain);
        assert_eq!(read(&format!("1 0 1 1 1 101 1 1 {HLG}")), plain, "after overscan");
        let both = read(&format!("1 1 00000010 0 1 101 1 1 {HLG}"));
        assert_eq!(both, Vui { sample_aspect: Some((12, 11)), colour });
    }

    #[test]
    fn what_is_cut_short_keeps_what_came_before() {
        assert_eq!(read("0"), Vui::default());
        assert_eq!(read("1 1 00000001 0 1 101 1 1 0000").sample_aspect, Some((1, 1)));
        assert_eq!(read("1 1 00000001 0 1 101 1 1 0000").colour, None);
        assert_eq!(read("1 0 0 1 101 1 0 00000000").colour, None, "a range without a description");
    }
}
