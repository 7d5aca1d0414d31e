//! What playlists and segments are made of, kept in memory within fixed bounds: summaries, small ranges of index objects, and
//! finished media playlists. All of it belongs to published renditions, which never change, so nothing here grows old.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::TryStreamExt;
use quick_cache::{Weighter, sync::Cache};
use reelgate_common::{
    ids::FileId,
    key::Key,
    metric::{INDEX_READ_BYTES, INDEX_READS},
    rendition::{Packaging, Rendition},
    storage::Storage,
};
use reelgate_packager::package::Summary;
use tokio::sync::Semaphore;

use super::{path::Item, piece::tag_of};
use crate::{cache::ReadError, error::ApiError};

const SUMMARIES: usize = 4_096;
/// Whole segment tables in memory at once; of a week-long film one has ten megabytes.
const TABLES: usize = 8;

/// One published rendition; its bytes are the same for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    file: FileId,
    generation: i64,
    attempt: i64,
    rendition: String,
}

impl Name {
    pub(super) fn of(rendition: &Rendition) -> Self {
        let Rendition { file_id, generation, attempt, name, .. } = rendition;
        Self { file: *file_id, generation: *generation, attempt: *attempt, rendition: name.clone() }
    }
}

/// A finished playlist.
#[derive(Debug)]
pub(super) struct Text {
    pub bytes: Bytes,
    pub etag: String,
}

impl Text {
    pub(super) fn of(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { etag: tag_of(&bytes), bytes }
    }
}

#[derive(Clone)]
struct ByLength;

impl<K> Weighter<K, Bytes> for ByLength {
    fn weight(&self, _: &K, bytes: &Bytes) -> u64 {
        bytes.len() as u64 + 128
    }
}

impl<K> Weighter<K, Arc<Text>> for ByLength {
    fn weight(&self, _: &K, text: &Arc<Text>) -> u64 {
        text.bytes.len() as u64 + 256
    }
}

/// One per gateway.
pub struct HlsMemory {
    summaries: Cache<Name, Arc<Summary>>,
    reads: Cache<(Name, u64, u64), Bytes, ByLength>,
    playlists: Cache<(Name, usize, Item, u32), Arc<Text>, ByLength>,
    pub(super) tables: Semaphore,
}

impl HlsMemory {
    /// Within about `bytes`, half for small ranges and half for playlists.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            summaries: Cache::new(SUMMARIES),
            reads: Cache::with_weighter(4_096, bytes / 2, ByLength),
            playlists: Cache::with_weighter(1_024, bytes / 2, ByLength),
            tables: Semaphore::new(TABLES),
        }
    }

    /// # Errors
    /// The row holds something else than this version writes.
    pub(super) fn summary(&self, rendition: &Rendition, packaging: &Packaging) -> Result<Arc<Summary>, ApiError> {
        self.summaries.get_or_insert_with(&Name::of(rendition), || {
            serde_json::from_value(packaging.summary.clone()).map(Arc::new).map_err(|error| {
                tracing::error!(file.id = %rendition.file_id, name = %rendition.name, %error, "a summary cannot be read");
                ApiError::internal()
            })
        })
    }

    /// A small range of a rendition's index; asked for by many at once, it is read once.
    ///
    /// # Errors
    /// As `fetch`.
    pub(super) async fn read(
        &self,
        rendition: &Rendition,
        range: &Range<u64>,
        fetch: impl Future<Output = Result<Bytes, ApiError>>,
    ) -> Result<Bytes, ApiError> {
        let name = (Name::of(rendition), range.start, range.end);
        self.reads.get_or_insert_async(&name, fetch).await
    }

    /// A finished playlist, made at most once while it is remembered.
    ///
    /// # Errors
    /// As `make`.
    pub(super) async fn playlist(
        &self,
        rendition: &Rendition,
        (track, item): (usize, Item),
        target_duration: u32,
        make: impl Future<Output = Result<Arc<Text>, ApiError>>,
    ) -> Result<Arc<Text>, ApiError> {
        self.playlists.get_or_insert_async(&(Name::of(rendition), track, item, target_duration), make).await
    }
}

/// Exactly this range, in one piece.
///
/// # Errors
/// The store is away, or has less of it or nothing.
pub(super) async fn fetch(storage: &dyn Storage, key: &Key, range: Range<u64>) -> Result<Bytes, ReadError> {
    let length = range.end.saturating_sub(range.start);
    let mut found = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(MOST_AHEAD));
    let mut chunks = storage.get(key, range, None).await?;
    while let Some(chunk) = chunks.try_next().await? {
        if (found.len() + chunk.len()) as u64 > length {
            break;
        }
        found.extend_from_slice(&chunk);
    }
    INDEX_READS.counter().increment(1);
    INDEX_READ_BYTES.counter().increment(found.len() as u64);
    if found.len() as u64 == length { Ok(found.into()) } else { Err(ReadError::WrongLength) }
}

/// Room that is made before a byte has come.
const MOST_AHEAD: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use reelgate_common::{ids::OrgId, storage::file::DirectoryStorage};

    use super::*;

    #[tokio::test]
    async fn a_range_is_exact_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let storage = DirectoryStorage::open(folder.path()).unwrap();
        let key = Key::Source { org: OrgId::new("acme"), file: FileId::new() };
        storage.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
        assert_eq!(fetch(&storage, &key, 3..7).await.unwrap(), "3456");
        assert!(fetch(&storage, &key, 3..11).await.is_err());
        assert!(fetch(&storage, &Key::Deployment, 0..1).await.is_err());
    }

    #[test]
    fn texts_of_other_bytes_have_other_tags() {
        assert_eq!(Text::of("a").etag, Text::of("a").etag);
        assert_ne!(Text::of("a").etag, Text::of("b").etag);
    }
}
