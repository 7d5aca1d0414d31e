//! The sample tables of a track, kept as run-length as the file has them: 10⁹ samples in one run cost one entry. Counts are
//! checked against the box's bytes before anything is allocated.

use crate::{
    bytes::{Bytes, word},
    error::Mp4Error,
    fourcc::FourCc,
};

/// `stts`: so many samples of one duration, in ticks of the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRun {
    pub count: u32,
    pub delta: u32,
}

/// `ctts`: so many samples of one composition offset.
///
/// Version 0 says unsigned, but QuickTime and others write negative ones there, and no real offset needs the 32nd bit; so
/// both versions are read as signed, as libav does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRun {
    pub count: u32,
    pub offset: i32,
}

/// `stsc`: from `first_chunk` on (1-based), every chunk holds so many samples of this description (1-based).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRun {
    pub first_chunk: u32,
    pub samples_per_chunk: u32,
    pub description: u32,
}

/// `stsz` or `stz2`, as packed as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleSizes {
    Constant {
        size: u32,
        count: u32,
    },
    Each(Vec<u32>),
    /// `stz2` with 4, 8 or 16 bits a sample.
    Packed {
        bits: u8,
        count: u32,
        bytes: Vec<u8>,
    },
}

impl Default for SampleSizes {
    fn default() -> Self {
        Self::Constant { size: 0, count: 0 }
    }
}

impl SampleSizes {
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::Constant { count, .. } | Self::Packed { count, .. } => *count,
            Self::Each(sizes) => u32::try_from(sizes.len()).unwrap_or(u32::MAX),
        }
    }

    /// Bytes of the sample with this 0-based number.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<u32> {
        match self {
            Self::Constant { size, count } => (index < *count).then_some(*size),
            Self::Each(sizes) => sizes.get(index as usize).copied(),
            Self::Packed { bits, count, bytes } => {
                if index >= *count {
                    return None;
                }
                let at = index as usize;
                match bits {
                    4 => bytes.get(at / 2).map(|b| u32::from(if at.is_multiple_of(2) { b >> 4 } else { b & 15 })),
                    8 => bytes.get(at).copied().map(u32::from),
                    _ => bytes.as_chunks::<2>().0.get(at).map(|b| u32::from(u16::from_be_bytes(*b))),
                }
            }
        }
    }
}

/// `stco` or `co64`, with the width the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkOffsets {
    Short(Vec<u32>),
    Long(Vec<u64>),
}

impl Default for ChunkOffsets {
    fn default() -> Self {
        Self::Short(Vec::new())
    }
}

impl ChunkOffsets {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Short(offsets) => offsets.len(),
            Self::Long(offsets) => offsets.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the chunk with this 0-based number begins in the file.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u64> {
        match self {
            Self::Short(offsets) => offsets.get(index).copied().map(u64::from),
            Self::Long(offsets) => offsets.get(index).copied(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// All of a track's tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SampleTables {
    pub times: Vec<TimeRun>,
    /// Empty when no sample is moved.
    pub offsets: Vec<OffsetRun>,
    /// 1-based numbers of sync samples, in the order of the file; `None` when every sample is one.
    pub sync: Option<Vec<u32>>,
    pub sizes: SampleSizes,
    pub chunks: Vec<ChunkRun>,
    pub chunk_offsets: ChunkOffsets,
}

impl SampleTables {
    /// Sum of all durations, in ticks; saturates.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.times.iter().fold(0, |sum: u64, run| sum.saturating_add(u64::from(run.count) * u64::from(run.delta)))
    }

    /// Whether `stts` and `stsz` speak of the same number of samples and `ctts` of no more.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let samples = u64::from(self.sizes.count());
        let timed: u64 = self.times.iter().map(|run| u64::from(run.count)).sum();
        let moved: u64 = self.offsets.iter().map(|run| u64::from(run.count)).sum();
        timed == samples && moved <= samples
    }

    /// Refuses tables over which a walk would give nonsense or overflow.
    pub(crate) fn check(&self) -> Result<(), Mp4Error> {
        if !self.is_consistent() {
            return Err(contradiction("the sample tables speak of different numbers of samples"));
        }
        if self.duration() > i64::MAX as u64 / 8 {
            return Err(contradiction("the durations add up to more than any clock counts"));
        }
        Ok(())
    }
}

pub(crate) fn contradiction(why: &'static str) -> Mp4Error {
    Mp4Error::Malformed { what: FourCc(*b"stbl"), why }
}

pub(crate) fn read_stts(payload: &[u8]) -> Result<Vec<TimeRun>, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"stts"), payload);
    bytes.full()?;
    Ok(bytes.entries::<8>()?.iter().map(|e| TimeRun { count: word(e, 0), delta: word(e, 4) }).collect())
}

pub(crate) fn read_ctts(payload: &[u8]) -> Result<Vec<OffsetRun>, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"ctts"), payload);
    bytes.full()?;
    Ok(bytes
        .entries::<8>()?
        .iter()
        .map(|e| OffsetRun { count: word(e, 0), offset: word(e, 4).cast_signed() })
        .collect())
}

pub(crate) fn read_stss(payload: &[u8]) -> Result<Vec<u32>, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"stss"), payload);
    bytes.full()?;
    Ok(bytes.entries::<4>()?.iter().map(|e| word(e, 0)).collect())
}

pub(crate) fn read_stsc(payload: &[u8]) -> Result<Vec<ChunkRun>, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"stsc"), payload);
    bytes.full()?;
    let run =
        |e: &[u8; 12]| ChunkRun { first_chunk: word(e, 0), samples_per_chunk: word(e, 4), description: word(e, 8) };
    Ok(bytes.entries::<12>()?.iter().map(run).collect())
}

pub(crate) fn read_stco(payload: &[u8]) -> Result<ChunkOffsets, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"stco"), payload);
    bytes.full()?;
    Ok(ChunkOffsets::Short(bytes.entries::<4>()?.iter().map(|e| word(e, 0)).collect()))
}

pub(crate) fn read_co64(payload: &[u8]) -> Result<ChunkOffsets, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"co64"), payload);
    bytes.full()?;
    Ok(ChunkOffsets::Long(bytes.entries::<8>()?.iter().map(|e| u64::from_be_bytes(*e)).collect()))
}

pub(crate) fn read_stsz(payload: &[u8]) -> Result<SampleSizes, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"stsz"), payload);
    bytes.full()?;
    match bytes.u32()? {
        0 => Ok(SampleSizes::Each(bytes.entries::<4>()?.iter().map(|e| word(e, 0)).collect())),
        size => Ok(SampleSizes::Constant { size, count: bytes.u32()? }),
    }
}

pub(crate) fn read_stz2(payload: &[u8]) -> Result<SampleSizes, Mp4Error> {
    let what = FourCc(*b"stz2");
    let mut bytes = Bytes::new(what, payload);
    bytes.full()?;
    let bits = (bytes.u32()? & 0xff) as u8;
    if !matches!(bits, 4 | 8 | 16) {
        return Err(Mp4Error::Malformed { what, why: "its field size is none of 4, 8 and 16" });
    }
    let count = bytes.u32()?;
    let length = (u64::from(count) * u64::from(bits)).div_ceil(8);
    let length = usize::try_from(length).map_err(|_| Mp4Error::Truncated { what })?;
    Ok(SampleSizes::Packed { bits, count, bytes: bytes.take(length)?.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_the_box_is_refused_without_allocating() {
        assert!(read_stts(b"\0\0\0\0\xff\xff\xff\xff\0\0\0\x01\0\0\0\x01").is_err());
        assert!(read_stz2(b"\0\0\0\0\0\0\0\x04\xff\xff\xff\xff\0").is_err());
    }

    #[test]
    fn constant_sizes_need_no_table() {
        let sizes = read_stsz(b"\0\0\0\0\0\0\0\x02\x3b\x9a\xca\0").unwrap();
        assert_eq!((sizes.count(), sizes.get(999_999_999), sizes.get(1_000_000_000)), (1_000_000_000, Some(2), None));
    }

    #[test]
    fn packed_sizes_are_read_nibble_by_nibble() {
        let sizes = read_stz2(b"\0\0\0\0\0\0\0\x04\0\0\0\x03\x12\x30").unwrap();
        assert_eq!((0..4).map(|n| sizes.get(n)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), None]);
    }
}
