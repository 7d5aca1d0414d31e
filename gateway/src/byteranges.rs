//! `multipart/byteranges` (RFC 9110 section 14.6): several ranges of one representation as one body. That body is a
//! `VirtualFile` again, heads of parts inline and media by range, so it streams like any other. Pure but for the boundary.

use bytes::Bytes;
use http::HeaderValue;

use crate::{
    range::ByteRange,
    virtual_file::{Extent, VirtualFile},
};

/// A body of parts, and its own type.
#[derive(Debug)]
pub(crate) struct ByteRanges {
    pub content_type: HeaderValue,
    pub bytes: VirtualFile,
}

/// Random, so that no media can be made that contains it; 128 bits, hence in no media by chance either.
#[must_use]
pub(crate) fn random_boundary() -> String {
    format!("reelgate-{:032x}", rand::random::<u128>())
}

/// One part per range, each with the type of the whole and its `Content-Range`.
#[must_use]
pub(crate) fn byteranges(
    whole: &VirtualFile,
    content_type: &HeaderValue,
    ranges: &[ByteRange],
    boundary: &str,
) -> ByteRanges {
    let total = whole.length();
    let mut extents = Vec::with_capacity(ranges.len() * 2 + 1);
    for range in ranges {
        extents.push(head(*range, total, content_type, boundary));
        extents.extend(whole.slice(&range.span()).into_extents());
    }
    extents.push(Extent::Inline(format!("\r\n--{boundary}--\r\n").into()));
    let content_type = HeaderValue::from_str(&format!("multipart/byteranges; boundary={boundary}"))
        .expect("a boundary is letters, digits and hyphens");
    ByteRanges { content_type, bytes: VirtualFile::from_extents(extents) }
}

/// The line break before a delimiter belongs to the delimiter (RFC 2046 5.1.1); before the first it is an empty preamble.
fn head(range: ByteRange, total: u64, content_type: &HeaderValue, boundary: &str) -> Extent {
    let content_range = range.content_range(total);
    let parts: [&[u8]; 7] = [
        b"\r\n--",
        boundary.as_bytes(),
        b"\r\nContent-Type: ",
        content_type.as_bytes(),
        b"\r\nContent-Range: ",
        content_range.as_bytes(),
        b"\r\n\r\n",
    ];
    Extent::Inline(Bytes::from(parts.concat()))
}

#[cfg(test)]
mod tests {
    use reelgate_common::rendition::Role;

    use super::*;
    use crate::range::{Wanted, wanted};

    fn parts(header: &str) -> ByteRanges {
        let whole = VirtualFile::from_extents([
            Extent::Inline(Bytes::from_static(b"0123456789")),
            Extent::Object { role: Role::Source, range: 100..1_090 },
        ]);
        let Wanted::Several(ranges) = wanted(Some(header), whole.length()) else { panic!("several ranges") };
        byteranges(&whole, &HeaderValue::from_static("video/mp4"), &ranges, "XX")
    }

    #[test]
    fn each_part_has_a_head_and_its_bytes() {
        let ByteRanges { content_type, bytes } = parts("bytes=8-11,-2");
        assert_eq!(content_type, "multipart/byteranges; boundary=XX");
        let inline = |text: &'static str| Extent::Inline(Bytes::from_static(text.as_bytes()));
        assert_eq!(
            bytes.into_extents(),
            [
                inline("\r\n--XX\r\nContent-Type: video/mp4\r\nContent-Range: bytes 8-11/1000\r\n\r\n"),
                inline("89"),
                Extent::Object { role: Role::Source, range: 100..102 },
                inline("\r\n--XX\r\nContent-Type: video/mp4\r\nContent-Range: bytes 998-999/1000\r\n\r\n"),
                Extent::Object { role: Role::Source, range: 1_088..1_090 },
                inline("\r\n--XX--\r\n"),
            ]
        );
    }

    #[test]
    fn boundaries_are_not_guessed() {
        assert_ne!(random_boundary(), random_boundary());
    }
}
