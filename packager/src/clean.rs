//! Clean entries: the sync samples which no later-decoded frame precedes in display time. Only there can playing begin, or a
//! segment, without frames that refer to what was left out (an open GOP's leading pictures do). Decided from `stts`, `ctts`
//! and `stss` alone.

use crate::{
    error::Mp4Error,
    tables::{OffsetRun, TimeRun, contradiction},
    track::Track,
};

/// Tracks with more samples are refused where every sample must be looked at: 92 hours at 60 frames per second.
pub const MAX_SAMPLES: u32 = 20_000_000;
/// Segments begin at least this far apart.
pub const MIN_SEGMENT_SECONDS: u32 = 2;
/// A grid longer than a week of segments is refused.
const MAX_GRID_POINTS: usize = 302_400;

/// One clean entry. Times are in ticks of the track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanEntry {
    /// 1-based, as `stss` counts.
    pub sample: u32,
    pub decode: i64,
    pub composition: i64,
    /// Composition time with the edit list applied (`Track::presentation_shift`).
    pub presentation: i64,
}

/// The clean entries of a track in decoding order.
///
/// Takes one bit a sample (2.5 MB at the limit), whatever the tables say.
///
/// # Errors
/// `Limit` above `MAX_SAMPLES`; `Malformed` when the tables contradict one another or times overflow.
pub fn clean_entries(track: &Track) -> Result<CleanEntries<'_>, Mp4Error> {
    let count = track.sample_count();
    if count > MAX_SAMPLES {
        return Err(Mp4Error::Limit { what: "samples", limit: u64::from(MAX_SAMPLES) });
    }
    let tables = &track.tables;
    tables.check()?;
    if let Some(sync) = &tables.sync {
        let ascending = sync.is_sorted_by(|a, b| a < b);
        let within = sync.first().is_none_or(|n| *n > 0) && sync.last().is_none_or(|n| *n <= count);
        if !ascending || !within {
            return Err(contradiction("the sync samples are not ascending sample numbers"));
        }
    }
    let clean = mark_clean(track, count);
    Ok(CleanEntries { clean, shift: track.presentation_shift(), forward: Forward::new(track), number: 0, count })
}

/// The segment grid of a segment-safe source: clean entries at least 2 s apart, the first one included, as presentation
/// times in units of 1/timescale s (returned first).
///
/// # Errors
/// As `clean_entries`; `Limit` for a grid longer than a week.
pub fn segment_grid_points(track: &Track) -> Result<(u32, Vec<i64>), Mp4Error> {
    let apart = i64::from(track.timescale) * i64::from(MIN_SEGMENT_SECONDS);
    let mut points: Vec<i64> = Vec::new();
    for entry in clean_entries(track)? {
        if points.last().is_some_and(|last| entry.presentation.saturating_sub(*last) < apart) {
            continue;
        }
        if points.len() >= MAX_GRID_POINTS {
            return Err(Mp4Error::Limit { what: "segments", limit: MAX_GRID_POINTS as u64 });
        }
        points.push(entry.presentation);
    }
    Ok((track.timescale, points))
}

/// Walks backwards with the earliest display time of all that is decoded later.
fn mark_clean(track: &Track, count: u32) -> Bits {
    let tables = &track.tables;
    let mut clean = Bits::new(count);
    let mut sync = tables.sync.as_ref().map(|numbers| numbers.iter().rev().copied().peekable());
    let mut decode = i64::try_from(tables.duration()).unwrap_or(i64::MAX);
    let moved: u32 = tables.offsets.iter().map(|run| run.count).sum();
    let mut deltas = tables.times.iter().rev().flat_map(|run| std::iter::repeat_n(run.delta, run.count as usize));
    let mut offsets = std::iter::repeat_n(0, (count - moved) as usize)
        .chain(tables.offsets.iter().rev().flat_map(|run| std::iter::repeat_n(run.offset, run.count as usize)));
    let mut earliest = i64::MAX;
    for index in (0..count).rev() {
        decode -= i64::from(deltas.next().unwrap_or(0));
        let composition = decode + i64::from(offsets.next().unwrap_or(0));
        let is_sync = sync.as_mut().is_none_or(|numbers| numbers.next_if_eq(&(index + 1)).is_some());
        if is_sync && composition <= earliest {
            clean.set(index);
        }
        earliest = earliest.min(composition);
    }
    clean
}

/// One bit a sample.
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: u32) -> Self {
        Self(vec![0; count.div_ceil(64) as usize])
    }

    fn set(&mut self, index: u32) {
        if let Some(word) = self.0.get_mut(index as usize / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn get(&self, index: u32) -> bool {
        self.0.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}

/// Iterator over clean entries; see `clean_entries`.
pub struct CleanEntries<'a> {
    clean: Bits,
    shift: i64,
    forward: Forward<'a>,
    number: u32,
    count: u32,
}

impl Iterator for CleanEntries<'_> {
    type Item = CleanEntry;

    fn next(&mut self) -> Option<CleanEntry> {
        while self.number < self.count {
            let index = self.number;
            self.number += 1;
            let (decode, composition) = self.forward.next()?;
            if self.clean.get(index) {
                let presentation = composition.saturating_add(self.shift);
                return Some(CleanEntry { sample: index + 1, decode, composition, presentation });
            }
        }
        None
    }
}

/// Decode and composition time of every sample, in decoding order. For tables that were found consistent.
pub(crate) struct Forward<'a> {
    times: Runs<'a, TimeRun>,
    offsets: Runs<'a, OffsetRun>,
    decode: i64,
}

impl<'a> Forward<'a> {
    pub(crate) fn new(track: &'a Track) -> Self {
        let tables = &track.tables;
        Self { times: Runs::new(&tables.times), offsets: Runs::new(&tables.offsets), decode: 0 }
    }

    pub(crate) fn empty() -> Self {
        Self { times: Runs::new(&[]), offsets: Runs::new(&[]), decode: 0 }
    }
}

impl Iterator for Forward<'_> {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<(i64, i64)> {
        let delta = self.times.next(|run| run.count)?.delta;
        let offset = self.offsets.next(|run| run.count).map_or(0, |run| run.offset);
        let decode = self.decode;
        self.decode = decode.saturating_add(i64::from(delta));
        Some((decode, decode.saturating_add(i64::from(offset))))
    }
}

pub(crate) struct Runs<'a, T> {
    rest: &'a [T],
    used: u32,
}

impl<'a, T> Runs<'a, T> {
    pub(crate) fn new(rest: &'a [T]) -> Self {
        Self { rest, used: 0 }
    }

    pub(crate) fn next(&mut self, count: impl Fn(&T) -> u32) -> Option<&'a T> {
        loop {
            let (run, rest) = self.rest.split_first()?;
            if self.used < count(run) {
                self.used += 1;
                return Some(run);
            }
            self.rest = rest;
            self.used = 0;
        }
    }
}
