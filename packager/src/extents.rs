//! Where a track's bytes lie, checked against the size of the file without expanding constant-size runs.

use crate::{tables::SampleSizes, track::Track};

/// What is wrong with the places of samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// The tables contradict one another.
    Tables,
    /// A chunk begins or ends behind the end of the file.
    Outside,
}

/// Whether every sample lies inside the file. Looks at each chunk, and at each sample unless all have one size.
pub(crate) fn check_extents(track: &Track, file_size: u64) -> Result<(), Misplaced> {
    let tables = &track.tables;
    let mut runs = tables.chunks.iter().peekable();
    let mut per_chunk = 0;
    let mut sample = 0_u32;
    for (index, offset) in tables.chunk_offsets.iter().enumerate() {
        while let Some(run) = runs.next_if(|run| run.first_chunk as usize <= index + 1) {
            per_chunk = run.samples_per_chunk;
        }
        // The last chunk may be announced longer than it is; libav reads what there is.
        let count = per_chunk.min(tables.sizes.count() - sample);
        let length = chunk_length(&tables.sizes, sample, count).ok_or(Misplaced::Tables)?;
        let end = offset.checked_add(length).ok_or(Misplaced::Outside)?;
        if count > 0 && end > file_size {
            return Err(Misplaced::Outside);
        }
        sample += count;
    }
    if sample == tables.sizes.count() && runs.next().is_none() { Ok(()) } else { Err(Misplaced::Tables) }
}

fn chunk_length(sizes: &SampleSizes, first: u32, count: u32) -> Option<u64> {
    if let SampleSizes::Constant { size, .. } = sizes {
        return Some(u64::from(*size) * u64::from(count));
    }
    (first..first.checked_add(count)?).map(|index| sizes.get(index).map(u64::from)).sum()
}
