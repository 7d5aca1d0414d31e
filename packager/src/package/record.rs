//! The record of a segment: its sample tables as runs, and where its bytes lie. Times are not in it, since a segment's entry
//! says where it begins.

use std::ops::Range;

use crate::{bytes::Bytes, error::Mp4Error};

use super::{
    MAX_INLINE_BYTES, MAX_RECORD_BYTES, MAX_SEGMENT_SAMPLES,
    damage::{INDEX, broken},
    varint::{put, put_signed, take, take_signed, take_u32},
};

/// So many samples with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) count: u32,
    pub(super) value: u32,
}

/// One value a sample, as runs without neighbours of one value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Column(Vec<Run>);

impl Column {
    pub(super) fn push(&mut self, value: u32) {
        match self.0.last_mut() {
            Some(run) if run.value == value => run.count += 1,
            _ => self.0.push(Run { count: 1, value }),
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|run| std::iter::repeat_n(run.value, run.count as usize))
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.0
    }

    /// The value, when all samples have the same.
    pub(super) fn only(&self) -> Option<u32> {
        match self.0.as_slice() {
            [run] => Some(run.value),
            _ => None,
        }
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|run| u64::from(run.count) * u64::from(run.value)).sum()
    }

    /// As a list of values or of runs, whichever is shorter in numbers.
    fn write(&self, out: &mut Vec<u8>, samples: u32) {
        let runs = self.0.len() as u64;
        if 2 * runs > u64::from(samples) {
            put(out, 0);
            self.values().for_each(|value| put(out, u64::from(value)));
        } else {
            put(out, runs);
            for run in &self.0 {
                put(out, u64::from(run.count));
                put(out, u64::from(run.value));
            }
        }
    }

    /// Reads as many values as there are `samples`.
    fn read(bytes: &mut Bytes<'_>, samples: u32) -> Result<Self, Mp4Error> {
        let mut column = Self::default();
        let runs = take(bytes)?;
        if runs == 0 {
            for _ in 0..samples {
                column.push(take_u32(bytes)?);
            }
            return Ok(column);
        }
        let mut left = samples;
        for _ in 0..runs {
            let run = Run { count: take_u32(bytes)?, value: take_u32(bytes)? };
            left = left.checked_sub(run.count).ok_or(broken("a record has more values than samples"))?;
            column.0.push(run);
        }
        if left == 0 { Ok(column) } else { Err(broken("a record has fewer values than samples")) }
    }
}

/// Where bytes of samples come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A range of the plain MP4.
    Media(Range<u64>),
    /// These bytes, so many times.
    Repeat { count: u32, bytes: Vec<u8> },
}

impl Source {
    fn len(&self) -> u64 {
        match self {
            Self::Media(range) => range.end.saturating_sub(range.start),
            Self::Repeat { count, bytes } => u64::from(*count) * bytes.len() as u64,
        }
    }
}

/// A segment's samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Record {
    pub(super) samples: u32,
    pub(super) durations: Column,
    /// Composition offsets, unsigned.
    pub(super) offsets: Column,
    pub(super) sizes: Column,
    /// 1 for samples from which playing can begin.
    pub(super) clean: Column,
    pub(super) sources: Vec<Source>,
}

impl Record {
    /// Adds a sample's times and size, not its bytes.
    ///
    /// # Errors
    /// `Limit` above `MAX_SEGMENT_SAMPLES`.
    pub(super) fn push(&mut self, duration: u32, offset: u32, size: u32, clean: bool) -> Result<(), Mp4Error> {
        if self.samples >= MAX_SEGMENT_SAMPLES {
            return Err(Mp4Error::Limit { what: "samples of a segment", limit: u64::from(MAX_SEGMENT_SAMPLES) });
        }
        self.samples += 1;
        self.durations.push(duration);
        self.offsets.push(offset);
        self.sizes.push(size);
        self.clean.push(u32::from(clean));
        Ok(())
    }

    /// Adds bytes of the MP4; what follows on the range before becomes one with it.
    pub(super) fn push_media(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        match self.sources.last_mut() {
            Some(Source::Media(last)) if last.end == range.start => last.end = range.end,
            _ => self.sources.push(Source::Media(range)),
        }
    }

    /// Adds bytes that are in no file.
    pub(super) fn push_inline(&mut self, frame: &[u8]) {
        match self.sources.last_mut() {
            Some(Source::Repeat { count, bytes }) if bytes == frame => *count += 1,
            _ => self.sources.push(Source::Repeat { count: 1, bytes: frame.to_vec() }),
        }
    }

    /// Bytes of all samples.
    pub(super) fn bytes(&self) -> u64 {
        self.sizes.sum()
    }

    /// # Errors
    /// `Limit` above `MAX_RECORD_BYTES`.
    pub(super) fn write(&self) -> Result<Vec<u8>, Mp4Error> {
        let mut out = Vec::new();
        put(&mut out, u64::from(self.samples));
        for column in [&self.durations, &self.offsets, &self.sizes, &self.clean] {
            column.write(&mut out, self.samples);
        }
        put(&mut out, self.sources.len() as u64);
        let mut place = 0_u64;
        for source in &self.sources {
            write_source(&mut out, source, &mut place);
        }
        if out.len() as u64 > MAX_RECORD_BYTES {
            return Err(Mp4Error::Limit { what: "index bytes of a segment", limit: MAX_RECORD_BYTES });
        }
        Ok(out)
    }

    /// Reads what `write` wrote.
    ///
    /// Takes memory in proportion to `bytes`, which must not exceed `MAX_RECORD_BYTES`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Mp4Error> {
        if bytes.len() as u64 > MAX_RECORD_BYTES {
            return Err(Mp4Error::Limit { what: "index bytes of a segment", limit: MAX_RECORD_BYTES });
        }
        let mut bytes = Bytes::new(INDEX, bytes);
        let samples = take_u32(&mut bytes)?;
        if samples == 0 || samples > MAX_SEGMENT_SAMPLES {
            return Err(broken("a record has no or too many samples"));
        }
        let mut column = || Column::read(&mut bytes, samples);
        let [durations, offsets, sizes, clean] = [column()?, column()?, column()?, column()?];
        let mut record = Self { samples, durations, offsets, sizes, clean, sources: Vec::new() };
        let mut place = 0_u64;
        for _ in 0..take(&mut bytes)? {
            record.sources.push(read_source(&mut bytes, &mut place)?);
        }
        record.check()?;
        Ok(record)
    }

    fn check(&self) -> Result<(), Mp4Error> {
        let inline: u64 = self.sources.iter().filter(|s| matches!(s, Source::Repeat { .. })).map(Source::len).sum();
        let all = self.sources.iter().try_fold(0_u64, |sum, source| sum.checked_add(source.len()));
        if inline > MAX_INLINE_BYTES as u64 / 2 || all != Some(self.bytes()) {
            return Err(broken("a record's bytes are not those of its samples"));
        }
        Ok(())
    }
}

/// `place` is where the range before ended: the next one mostly lies close behind it.
fn write_source(out: &mut Vec<u8>, source: &Source, place: &mut u64) {
    match source {
        Source::Media(range) => {
            put(out, 0);
            put_signed(out, range.start.wrapping_sub(*place).cast_signed());
            put(out, range.end - range.start);
            *place = range.end;
        }
        Source::Repeat { count, bytes } => {
            put(out, u64::from(*count));
            put(out, bytes.len() as u64);
            out.extend(bytes);
        }
    }
}

fn read_source(bytes: &mut Bytes<'_>, place: &mut u64) -> Result<Source, Mp4Error> {
    let count = take_u32(bytes)?;
    if count > 0 {
        let length = take_u32(bytes)?;
        let frame = bytes.take(length as usize)?;
        return Ok(Source::Repeat { count, bytes: frame.to_vec() });
    }
    let start = place.wrapping_add(take_signed(bytes)?.cast_unsigned());
    let end = start.checked_add(take(bytes)?).ok_or(broken("a range ends behind any file"))?;
    if end <= start {
        return Err(broken("a range is empty"));
    }
    *place = end;
    Ok(Source::Media(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record = Record::default();
        for n in 0..40_u32 {
            record.push(512, n % 3 * 512, 1000 + n * n, n == 0).unwrap();
            record.push_media(u64::from(n) * 5000..u64::from(n) * 5000 + u64::from(1000 + n * n));
        }
        for _ in 0..9 {
            record.push(1024, 0, 6, true).unwrap();
            record.push_inline(&[1, 2, 3, 4, 5, 6]);
        }
        record
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let record = record();
        assert_eq!(Record::read(&record.write().unwrap()).unwrap(), record);
        assert_eq!(record.sources.len(), 41);
    }

    #[test]
    fn adjacent_ranges_become_one() {
        let mut record = Record::default();
        for range in [0..10, 10..30, 40..50] {
            record.push(1, 0, 10, true).unwrap();
            record.push_media(range);
        }
        assert_eq!(record.sources, [Source::Media(0..30), Source::Media(40..50)]);
    }

    #[test]
    fn a_record_cut_anywhere_is_refused() {
        let bytes = record().write().unwrap();
        for length in 0..bytes.len() {
            assert!(Record::read(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_segment_of_too_many_samples_or_bytes_of_index_is_refused() {
        let mut record = Record::default();
        for n in 0..MAX_SEGMENT_SAMPLES {
            record.push(n, n * 7919, n * 104_729, true).unwrap();
        }
        assert!(matches!(record.push(1, 1, 1, true), Err(Mp4Error::Limit { .. })));
        assert!(matches!(record.write(), Err(Mp4Error::Limit { .. })));
    }

    #[test]
    fn a_run_that_claims_more_than_the_samples_is_refused() {
        let claim = [1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1];
        assert!(Record::read(&claim).is_err());
    }
}
