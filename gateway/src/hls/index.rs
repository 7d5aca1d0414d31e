//! Reading the index object of a rendition by exact small ranges: the segment table of a track, one entry and its record.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use reelgate_common::{
    file::FileRecord,
    key::Key,
    rendition::{Packaging, Rendition},
    storage::StorageError,
};
use reelgate_packager::package::{SegmentEntry, Summary, TrackSummary};

use super::memory::fetch;
use crate::{app::App, cache::ReadError, error::ApiError, second_look::look_again};

/// Entries that are read together, so that playing on needs one read less.
const PAGE: u32 = 32;

/// A rendition with its index.
#[derive(Clone, Copy)]
pub(super) struct Index<'a> {
    pub app: &'a App,
    pub file: &'a FileRecord,
    pub rendition: &'a Rendition,
    pub packaging: &'a Packaging,
}

impl Index<'_> {
    /// # Errors
    /// The row cannot be read.
    pub(super) fn summary(&self) -> Result<Arc<Summary>, ApiError> {
        self.app.hls.summary(self.rendition, self.packaging)
    }

    /// All segments of a track.
    ///
    /// # Errors
    /// The store is away or gave something else.
    pub(super) async fn table(&self, track: &TrackSummary) -> Result<Vec<SegmentEntry>, ApiError> {
        let range = track.table_range();
        let _turn = self.app.hls.tables.acquire().await.map_err(|_| ApiError::internal())?;
        let bytes = self.read(range).await?;
        Ok(TrackSummary::read_table(&bytes))
    }

    /// One segment's entry; `None` when the track has no such segment.
    ///
    /// # Errors
    /// As `table`.
    pub(super) async fn entry(&self, track: &TrackSummary, number: u32) -> Result<Option<SegmentEntry>, ApiError> {
        let first = number - number % PAGE;
        if track.entry_range(number).is_none() {
            return Ok(None);
        }
        let Some(page) = (first..first + PAGE)
            .map_while(|number| track.entry_range(number))
            .reduce(|page, entry| page.start..entry.end)
        else {
            return Ok(None);
        };
        let bytes = self.read(page).await?;
        Ok(TrackSummary::read_table(&bytes).into_iter().nth((number - first) as usize))
    }

    /// # Errors
    /// As `table`.
    pub(super) async fn record(&self, entry: &SegmentEntry) -> Result<Bytes, ApiError> {
        self.read(entry.record.clone()).await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, ApiError> {
        // Boxed when it is polled: nearly always the range is in memory, and whatever holds this future would be larger by all of it.
        self.app.hls.read(self.rendition, &range, async { Box::pin(self.fetch(range.clone())).await }).await
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, ApiError> {
        let (app, org, file) = (self.app, &self.file.org_id, self.file.id);
        let key = Key::Output {
            org: org.clone(),
            file,
            generation: self.rendition.generation,
            attempt: self.rendition.attempt,
            name: self.packaging.index.clone(),
        };
        let outcome = match fetch(app.storage.as_ref(), &key, range).await {
            Err(ReadError::Storage(missing @ StorageError::NotFound { .. })) => {
                app.rows.forget(org, file);
                Err(Box::pin(look_again(&app.db, (org, file), &key, missing)).await)
            }
            outcome => outcome,
        };
        outcome.map_err(|error| ApiError::from(&error))
    }
}
