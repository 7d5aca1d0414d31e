//! The names of colour properties (ITU-T H.273 numbers as libav carries them), and what they mean for conversion.

/// How a frame's numbers become colours; H.273 numbers, 2 is "unspecified".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColorTags {
    pub(super) primaries: i32,
    pub(super) transfer: i32,
    pub(super) matrix: i32,
    pub(super) full_range: bool,
}

pub(super) const BT709: i32 = 1;
const SMPTE170M: i32 = 6;
const BT2020: i32 = 9;
const BT2020_CL: i32 = 10;
const PQ: i32 = 16;
const HLG: i32 = 18;

impl ColorTags {
    /// Limited-range BT.709, what every player gets right.
    pub(super) const SDR: Self = Self { primaries: BT709, transfer: BT709, matrix: BT709, full_range: false };

    pub(super) fn is_hdr(self) -> bool {
        matches!(self.transfer, PQ | HLG)
    }

    /// Whether the gamut or matrix is BT.2020, which 8-bit players show wrong.
    pub(super) fn is_wide(self) -> bool {
        matches!(self.matrix, BT2020 | BT2020_CL) || self.primaries == BT2020
    }

    /// Unspecified tags, and those that no converter knows, filled in the way players guess them: by transfer, then by size.
    pub(super) fn guessed(self, width: u32, height: u32) -> Self {
        let by_size = if width >= 1280 || height > 576 { BT709 } else { SMPTE170M };
        let wide = self.is_hdr() || self.is_wide();
        let known = |value: i32, all: &[i32], other| if all.contains(&value) { value } else { other };
        // Zero is RGB, whose pixels say so themselves.
        let matrix = known(self.matrix, &[0, 1, 4, 5, 6, 7, 9, 10], if wide { BT2020 } else { by_size });
        let basis = if matrix == SMPTE170M || matrix == 5 { matrix } else { BT709 };
        let transfer = if basis == BT709 { BT709 } else { SMPTE170M };
        Self {
            primaries: known(self.primaries, &[1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22], if wide { BT2020 } else { basis }),
            transfer: known(self.transfer, &[1, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, PQ, HLG], transfer),
            matrix,
            full_range: self.full_range,
        }
    }
}

/// A matrix that H.264 in 4:2:0 may carry: RGB and the exotic ones become BT.709.
pub(super) fn encodable_matrix(matrix: i32) -> i32 {
    if matches!(matrix, BT709 | 4 | 5 | SMPTE170M | 7) { matrix } else { BT709 }
}

/// libswscale's name of a matrix.
pub(super) fn scaler_matrix(matrix: i32) -> &'static str {
    match matrix {
        4 => "fcc",
        5 | SMPTE170M => "smpte170m",
        7 => "smpte240m",
        BT2020 | BT2020_CL => "bt2020",
        _ => "bt709",
    }
}

pub(super) fn primaries_name(value: i32) -> Option<&'static str> {
    Some(match value {
        1 => "bt709",
        4 => "bt470m",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "film",
        9 => "bt2020",
        10 => "smpte428",
        11 => "smpte431",
        12 => "smpte432",
        22 => "ebu3213",
        _ => return None,
    })
}

pub(super) fn transfer_name(value: i32) -> Option<&'static str> {
    Some(match value {
        1 => "bt709",
        4 => "gamma22",
        5 => "gamma28",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "linear",
        9 => "log100",
        10 => "log316",
        11 => "iec61966-2-4",
        12 => "bt1361e",
        13 => "iec61966-2-1",
        14 => "bt2020-10",
        15 => "bt2020-12",
        16 => "smpte2084",
        17 => "smpte428",
        18 => "arib-std-b67",
        _ => return None,
    })
}

pub(super) fn matrix_name(value: i32) -> Option<&'static str> {
    Some(match value {
        0 => "gbr",
        1 => "bt709",
        4 => "fcc",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "ycgco",
        9 => "bt2020nc",
        10 => "bt2020c",
        11 => "smpte2085",
        12 => "chroma-derived-nc",
        13 => "chroma-derived-c",
        14 => "ictcp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_colours_are_guessed_by_size() {
        let none = ColorTags { primaries: 2, transfer: 2, matrix: 2, full_range: false };
        assert_eq!(none.guessed(1920, 1080), ColorTags::SDR);
        assert_eq!(none.guessed(640, 360).matrix, SMPTE170M);
        assert_eq!(none.guessed(720, 1280), ColorTags::SDR);
    }

    #[test]
    fn hdr_without_more_is_bt2020_and_unknown_numbers_are_guessed() {
        let hdr = ColorTags { primaries: 2, transfer: 16, matrix: 2, full_range: true }.guessed(640, 360);
        assert_eq!(hdr, ColorTags { primaries: 9, transfer: 16, matrix: 9, full_range: true });
        let absurd = ColorTags { primaries: 99, transfer: -4, matrix: 200, full_range: false };
        assert_eq!(absurd.guessed(1920, 1080), ColorTags::SDR);
    }

    #[test]
    fn pq_and_hlg_are_hdr_and_bt2020_is_wide() {
        let tags = |primaries, transfer, matrix| ColorTags { primaries, transfer, matrix, full_range: false };
        assert!(tags(9, 16, 9).is_hdr());
        assert!(tags(9, 18, 9).is_hdr());
        assert!(!tags(9, 14, 9).is_hdr());
        assert!(tags(9, 14, 9).is_wide());
        assert!(!ColorTags::SDR.is_wide());
    }
}
