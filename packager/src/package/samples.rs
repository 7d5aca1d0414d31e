//! The samples of a track one after another, in decoding order, each with its place in the file.

use crate::{
    clean::{Forward, Runs},
    error::Mp4Error,
    tables::{ChunkRun, TimeRun, contradiction},
    track::Track,
};

/// One sample of the plain MP4. Times are in ticks of the track, as the file has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Counts from 1, as `stss` does.
    pub(super) number: u32,
    pub(super) decode: i64,
    pub(super) composition: i64,
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) at: u64,
}

/// Iterator over samples; see the module. Ends after the first error.
pub(super) struct Samples<'a> {
    track: &'a Track,
    times: Forward<'a>,
    durations: Runs<'a, TimeRun>,
    place: Place<'a>,
    number: u32,
}

impl<'a> Samples<'a> {
    /// For tables that `SampleTables::check` let pass.
    pub(super) fn new(track: &'a Track) -> Self {
        let durations = Runs::new(&track.tables.times);
        Self { track, times: Forward::new(track), durations, place: Place::new(track), number: 0 }
    }

    fn read(&mut self) -> Result<Option<Sample>, Mp4Error> {
        let Some((decode, composition)) = self.times.next() else { return Ok(None) };
        let duration = self.durations.next(|run| run.count).map_or(0, |run| run.delta);
        let size = self.track.tables.sizes.get(self.number).ok_or(contradiction("a sample has no size"))?;
        let at = self.place.take(size)?;
        self.number += 1;
        Ok(Some(Sample { number: self.number, decode, composition, duration, size, at }))
    }
}

impl Iterator for Samples<'_> {
    type Item = Result<Sample, Mp4Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let sample = self.read().transpose();
        if matches!(sample, Some(Err(_))) {
            self.times = Forward::empty();
        }
        sample
    }
}

/// Where the next sample lies: samples follow one another inside a chunk.
struct Place<'a> {
    track: &'a Track,
    runs: std::iter::Peekable<std::slice::Iter<'a, ChunkRun>>,
    chunk: usize,
    per_chunk: u32,
    left: u32,
    next: u64,
}

impl<'a> Place<'a> {
    fn new(track: &'a Track) -> Self {
        Self { track, runs: track.tables.chunks.iter().peekable(), chunk: 0, per_chunk: 0, left: 0, next: 0 }
    }

    fn take(&mut self, size: u32) -> Result<u64, Mp4Error> {
        while self.left == 0 {
            self.enter_chunk()?;
        }
        self.left -= 1;
        let at = self.next;
        self.next = at.checked_add(u64::from(size)).ok_or(Mp4Error::ChunkOutside { offset: at })?;
        Ok(at)
    }

    fn enter_chunk(&mut self) -> Result<(), Mp4Error> {
        let offset = self.track.tables.chunk_offsets.get(self.chunk);
        self.next = offset.ok_or(contradiction("there are more samples than chunks hold"))?;
        self.chunk += 1;
        while let Some(run) = self.runs.next_if(|run| run.first_chunk as usize <= self.chunk) {
            self.per_chunk = run.samples_per_chunk;
        }
        self.left = self.per_chunk;
        Ok(())
    }
}
