//! A published film in the store, read as a player would: its index, and the bytes around a time.

use std::{fs::File, ops::Range, os::unix::fs::FileExt};

use futures_util::TryStreamExt;
use reelgate_common::{
    key::Key,
    rendition::{Rendition, Role},
    storage::StorageError,
};
use reelgate_packager::{MAX_MOOV_BYTES, Movie, TopBox, TopWalk, package::picture_bytes, parse_movie};

use super::super::{Work, inspect};
use crate::halt::{Halt, source_changed};

/// A group of pictures that is larger is not fetched.
const MAX_GROUP: u64 = 256 << 20;

pub(super) struct StoredFilm<'a> {
    work: &'a Work,
    /// Where each range of the film lies.
    pieces: Vec<(Range<u64>, Key, u64)>,
    size: u64,
}

impl<'a> StoredFilm<'a> {
    pub(super) fn of(work: &'a Work, rendition: &Rendition) -> Self {
        let file = &work.attempt.file;
        let key = |role: &Role| {
            let made = role.key(&file.org_id, file.id, (rendition.generation, rendition.attempt));
            made.unwrap_or_else(|| Key::Source { org: file.org_id.clone(), file: file.id })
        };
        let mut size = 0;
        let pieces = rendition.layout.iter().map(|piece| {
            let range = size..size + piece.length;
            size = range.end;
            (range, key(&piece.object), piece.offset)
        });
        let pieces = pieces.collect();
        Self { work, pieces, size }
    }

    /// A file of the film's size in which only what is seen at these times is not a hole; `None` when its index cannot be read.
    pub(super) async fn excerpt(&self, times_ms: impl Iterator<Item = u64>) -> Result<Option<File>, Halt> {
        let Some(boxes) = self.walk().await? else { return Ok(None) };
        let find = |kind: &[u8; 4]| boxes.iter().find(|found| found.kind.0 == *kind);
        let Some(moov) = find(b"moov").filter(|moov| moov.size <= MAX_MOOV_BYTES) else { return Ok(None) };
        let Ok(movie) = parse_movie(&self.read(moov.offset..moov.end()).await?) else { return Ok(None) };
        let file = self.work.scratch_file("stills-excerpt")?;
        file.set_len(self.size).map_err(|error| Halt::disk(&error))?;
        for range in wanted(&boxes, &movie, times_ms) {
            let bytes = self.read(range.start..range.end.min(self.size)).await?;
            file.write_all_at(&bytes, range.start).map_err(|error| Halt::disk(&error))?;
        }
        Ok(Some(file))
    }

    async fn walk(&self) -> Result<Option<Vec<TopBox>>, Halt> {
        let mut walk = TopWalk::new(self.size);
        while let Some(at) = walk.wanted() {
            let head = self.read(at..self.size.min(at.saturating_add(TopWalk::HEADER_BYTES))).await?;
            if walk.feed(&head).is_err() {
                return Ok(None);
            }
        }
        Ok(Some(walk.into_boxes()))
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Halt> {
        let mut bytes = Vec::new();
        for (piece, key, offset) in &self.pieces {
            let part = range.start.max(piece.start)..range.end.min(piece.end);
            if part.start < part.end {
                let at = |place: u64| offset + (place - piece.start);
                bytes.extend(self.read_object(key, at(part.start)..at(part.end)).await?);
            }
        }
        if bytes.len() as u64 == range.end.saturating_sub(range.start) { Ok(bytes) } else { Err(source_changed()) }
    }

    async fn read_object(&self, key: &Key, range: Range<u64>) -> Result<Vec<u8>, Halt> {
        let storage = &self.work.backends.storage;
        let read = self.work.patience.keep_trying("reading a film", || async {
            let mut chunks = storage.get(key, range.clone(), None).await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = chunks.try_next().await? {
                bytes.extend_from_slice(&chunk);
            }
            Ok::<_, StorageError>(bytes)
        });
        Ok(read.await?)
    }
}

/// All but the media, a little of its beginning, and the groups of pictures that are looked at; each once.
fn wanted(boxes: &[TopBox], movie: &Movie, times_ms: impl Iterator<Item = u64>) -> Vec<Range<u64>> {
    let mut ranges = inspect::outside_media(boxes);
    let groups = times_ms.filter_map(|time_ms| picture_bytes(movie, time_ms));
    ranges.extend(groups.filter(|group| group.end - group.start <= MAX_GROUP));
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup();
    ranges
}
