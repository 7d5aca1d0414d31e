//! Box headers, the walk over a file's top level by ranged reads, and the walk over children in memory.

use crate::{error::Mp4Error, fourcc::FourCc};

/// A box's name and extent. `size` counts the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxHeader {
    pub kind: FourCc,
    /// 8, or 16 with a 64-bit size.
    pub header_len: u64,
    pub size: u64,
}

/// Reads a header from the first bytes of a box: 16 of them, or all there are.
///
/// `remaining` is how many bytes lie between the box's start and the end of what holds it; size 0 means all of these.
///
/// # Errors
/// `Truncated` when the header or the box does not fit into `remaining`; `Malformed` when the size is less than the header.
pub fn read_header(first_bytes: &[u8], remaining: u64) -> Result<BoxHeader, Mp4Error> {
    let unknown = Mp4Error::Truncated { what: FourCc(*b"    ") };
    let (head, rest) = first_bytes.split_first_chunk::<8>().ok_or(unknown)?;
    let [a, b, c, d, k @ ..] = *head;
    let kind = FourCc(k);
    let (header_len, size) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (8, remaining),
        1 => {
            let large = rest.first_chunk::<8>().ok_or(Mp4Error::Truncated { what: kind })?;
            (16, u64::from_be_bytes(*large))
        }
        small => (8, u64::from(small)),
    };
    if size < header_len {
        return Err(Mp4Error::Malformed { what: kind, why: "its size is less than its header" });
    }
    if size > remaining {
        return Err(Mp4Error::Truncated { what: kind });
    }
    Ok(BoxHeader { kind, header_len, size })
}

/// A box of the file's top level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopBox {
    pub kind: FourCc,
    /// Where its header begins in the file.
    pub offset: u64,
    pub header_len: u64,
    /// With header.
    pub size: u64,
}

impl TopBox {
    /// Where the next box begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }
}

/// The walk over the top level, for a caller that reads by range: while `wanted` says where, read up to 16 bytes there
/// (fewer only at the end of the file) and `feed` them.
///
/// An `mdat` that runs past the end of the file is taken as cut there, since a stopped copy may still be worth a look; its
/// samples are found missing by `judge`. A few stray bytes behind the last box are no box and no error.
#[derive(Debug, Clone)]
pub struct TopWalk {
    file_size: u64,
    next: u64,
    boxes: Vec<TopBox>,
}

impl TopWalk {
    /// More top-level boxes than this are refused; a fragmented file of two hours has some 7,200.
    pub const MAX_BOXES: usize = 65_536;
    /// How many bytes to read at `wanted`.
    pub const HEADER_BYTES: u64 = 16;

    #[must_use]
    pub fn new(file_size: u64) -> Self {
        Self { file_size, next: 0, boxes: Vec::new() }
    }

    /// Offset of the next header, or nothing when the walk is over.
    #[must_use]
    pub fn wanted(&self) -> Option<u64> {
        (self.file_size.saturating_sub(self.next) >= 8).then_some(self.next)
    }

    /// Takes the bytes at `wanted`.
    ///
    /// # Errors
    /// As `read_header`, and `Limit` past `MAX_BOXES`.
    pub fn feed(&mut self, first_bytes: &[u8]) -> Result<TopBox, Mp4Error> {
        let remaining = self.file_size.saturating_sub(self.next);
        let header = read_header(first_bytes, remaining).or_else(|e| match e {
            Mp4Error::Truncated { what } if what == FourCc(*b"mdat") => read_header(first_bytes, u64::MAX),
            other => Err(other),
        })?;
        if self.boxes.len() >= Self::MAX_BOXES {
            return Err(Mp4Error::Limit { what: "top-level boxes", limit: Self::MAX_BOXES as u64 });
        }
        let size = header.size.min(remaining);
        let top = TopBox { kind: header.kind, offset: self.next, header_len: header.header_len, size };
        self.boxes.push(top);
        self.next = top.end();
        Ok(top)
    }

    /// What was found so far, in file order.
    #[must_use]
    pub fn boxes(&self) -> &[TopBox] {
        &self.boxes
    }

    #[must_use]
    pub fn into_boxes(self) -> Vec<TopBox> {
        self.boxes
    }
}

/// A child inside a box that is held in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child<'a> {
    pub(crate) kind: FourCc,
    pub(crate) payload: &'a [u8],
    /// With header.
    pub(crate) whole: &'a [u8],
}

/// Walks the children of a payload. Ends after the first error. Fewer than 8 bytes at the end are a terminator of
/// QuickTime's and are passed over.
pub(crate) struct Children<'a> {
    rest: &'a [u8],
}

pub(crate) fn children(payload: &[u8]) -> Children<'_> {
    Children { rest: payload }
}

impl<'a> Children<'a> {
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn read(&mut self) -> Result<Child<'a>, Mp4Error> {
        let header = read_header(self.rest, self.rest.len() as u64)?;
        let truncated = Mp4Error::Truncated { what: header.kind };
        let size = usize::try_from(header.size).map_err(|_| truncated.clone())?;
        let (whole, rest) = self.rest.split_at_checked(size).ok_or_else(|| truncated.clone())?;
        let payload = whole.get(header.header_len as usize..).ok_or(truncated)?;
        self.rest = rest;
        Ok(Child { kind: header.kind, payload, whole })
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Child<'a>, Mp4Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < 8 {
            return None;
        }
        let child = self.read();
        if child.is_err() {
            self.rest = &[];
        }
        Some(child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_64_bit_size_is_read() {
        let header = read_header(b"\0\0\0\x01mdat\0\0\0\x02\0\0\0\0", u64::MAX).unwrap();
        assert_eq!(header, BoxHeader { kind: FourCc(*b"mdat"), header_len: 16, size: 0x2_0000_0000 });
    }

    #[test]
    fn size_zero_runs_to_the_end() {
        assert_eq!(read_header(b"\0\0\0\0mdat", 77).unwrap().size, 77);
    }

    #[test]
    fn a_size_below_the_header_is_malformed() {
        assert!(matches!(read_header(b"\0\0\0\x03free", 77), Err(Mp4Error::Malformed { .. })));
        assert!(matches!(read_header(b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f", 77), Err(Mp4Error::Malformed { .. })));
    }

    #[test]
    fn a_cut_mdat_ends_with_the_file_and_a_cut_moov_is_an_error() {
        let mut walk = TopWalk::new(100);
        assert_eq!(walk.feed(b"\0\0\0\x14ftypisom").unwrap().end(), 20);
        assert_eq!(walk.clone().feed(b"\0\0\x01\0mdat").unwrap().end(), 100);
        assert!(walk.feed(b"\0\0\x01\0moov").is_err());
    }
}
