//! What kind of image bytes are, and how large, by their header alone. Nothing of it is decoded: what is asked is only
//! whether a task has made what it was told to. Pure.

use reelgate_common::still::StillFormat;

/// Kind, width and height; `None` for what is none of ours.
pub(super) fn image_size(bytes: &[u8]) -> Option<(StillFormat, u32, u32)> {
    if bytes.starts_with(&[0xff, 0xd8]) {
        return jpeg(bytes).map(|(width, height)| (StillFormat::Jpeg, width, height));
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.get(12..16)? == b"IHDR" {
        let side = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        return Some((StillFormat::Png, side(16)?, side(20)?));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP" {
        return webp(bytes).map(|(width, height)| (StillFormat::Webp, width, height));
    }
    None
}

/// Segments are walked up to the one that begins a frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let [0xff, marker, high, low] = *bytes.get(at..)?.first_chunk()? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        match marker {
            // Frames, but for the tables that share their numbers.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                let [_, high, low, wide_high, wide_low] = *bytes.get(at + 4..)?.first_chunk()?;
                let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                return Some((side(wide_high, wide_low), side(high, low)));
            }
            0xda | 0xd9 => return None,
            _ if length < 2 => return None,
            _ => at += 2 + length,
        }
    }
}

/// The lossy kind, and the extended one, which animations are.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let at = |place: usize| bytes.get(place).copied().map(u32::from);
    match bytes.get(12..16)? {
        b"VP8 " => {
            let side = |low: u32, high: u32| (high << 8 | low) & 0x3fff;
            Some((side(at(26)?, at(27)?), side(at(28)?, at(29)?)))
        }
        b"VP8X" => {
            let side = |place: usize| Some((at(place)? | at(place + 1)? << 8 | at(place + 2)? << 16) + 1);
            Some((side(24)?, side(27)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_headers() {
        let jpeg = [&[0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0][..], &[0xff, 0xc0, 0, 17, 8, 0, 90, 0, 160, 3]].concat();
        assert_eq!(image_size(&jpeg), Some((StillFormat::Jpeg, 160, 90)));
        let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..], &[0, 0, 0, 160, 0, 0, 0, 90, 8]].concat();
        assert_eq!(image_size(&png), Some((StillFormat::Png, 160, 90)));
        let plain = [&b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\x10\0\0\x9d\x01\x2a"[..], &[160, 0, 90, 0]].concat();
        assert_eq!(image_size(&plain), Some((StillFormat::Webp, 160, 90)));
        let moving = [&b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0"[..], &[159, 0, 0, 89, 0, 0]].concat();
        assert_eq!(image_size(&moving), Some((StillFormat::Webp, 160, 90)));
    }

    #[test]
    fn what_is_cut_off_or_something_else_has_no_size() {
        for bytes in [
            &b""[..],
            b"\xff\xd8",
            b"\xff\xd8\xff\xda\0\0",
            b"\xff\xd8\xff\xe0\0\0",
            b"GIF89a",
            b"RIFF\0\0\0\0WEBPVP8L",
        ] {
            assert_eq!(image_size(bytes), None);
        }
    }
}
