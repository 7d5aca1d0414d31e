//! A bounds-checked reader of big-endian fields. Every read either succeeds or says which box was too short.

use crate::{error::Mp4Error, fourcc::FourCc};

#[derive(Clone)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
    what: FourCc,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(what: FourCc, rest: &'a [u8]) -> Self {
        Self { rest, what }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Mp4Error> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Mp4Error::Truncated { what: self.what })?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn skip(&mut self, n: usize) -> Result<(), Mp4Error> {
        self.take(n).map(|_| ())
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Mp4Error> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Mp4Error::Truncated { what: self.what })?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Mp4Error> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Mp4Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Mp4Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Mp4Error> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Mp4Error> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Mp4Error> {
        self.array().map(i64::from_be_bytes)
    }

    /// 32 bits in version 0, 64 bits in version 1.
    pub(crate) fn wide(&mut self, version: u8) -> Result<u64, Mp4Error> {
        if version == 1 { self.u64() } else { self.u32().map(u64::from) }
    }

    /// Version and flags of a full box.
    pub(crate) fn full(&mut self) -> Result<(u8, u32), Mp4Error> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// A counted table of `N`-byte entries; the count is refused before anything is allocated for it.
    pub(crate) fn entries<const N: usize>(&mut self) -> Result<&'a [[u8; N]], Mp4Error> {
        let count = self.u32()? as usize;
        let length = count.checked_mul(N).ok_or(Mp4Error::Truncated { what: self.what })?;
        Ok(self.take(length)?.as_chunks::<N>().0)
    }
}

/// The big-endian number at `at` of an entry; zero past its end, which no caller reaches.
pub(crate) fn word(entry: &[u8], at: usize) -> u32 {
    entry.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |b| u32::from_be_bytes(*b))
}
