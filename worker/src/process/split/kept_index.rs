//! What parts of a film need besides their own samples, kept from one part to the next: of a film of three hours it is 6 MB, and parts are
//! a thousand.

use std::{fs::File, io::SeekFrom, ops::Range, sync::Arc};

use reelgate_common::{key::Key, storage::Version};
use reelgate_packager::{Movie, TopBox};
use tokio::{
    io::{AsyncSeekExt, AsyncWriteExt},
    sync::Mutex,
};

use super::super::{
    Work,
    inspect::{self, outside_media},
    judgement::Index,
    source::Source,
};
use crate::halt::Halt;

/// Bytes that are kept at most: an index of seven hours. A larger one is fetched for each part.
const MOST: u64 = 16 << 20;

/// Of the film that this worker was last given a part of. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptIndex(Arc<Mutex<Option<Arc<CutIndex>>>>);

/// All of a film but its media.
#[derive(Debug)]
pub(super) struct CutIndex {
    key: Key,
    version: Version,
    pub(super) movie: Arc<Movie>,
    ranges: Vec<Range<u64>>,
    /// What lies in each range; nothing where that is too much.
    bytes: Vec<Vec<u8>>,
}

impl KeptIndex {
    /// Nothing where the source has no index that can be read. Whoever asks meanwhile waits rather than fetch it, too.
    ///
    /// # Errors
    /// The source has changed or the store stays away.
    pub(super) async fn of(&self, work: &Work, source: &Source) -> Result<Option<Arc<CutIndex>>, Halt> {
        let mut kept = self.0.lock().await;
        if let Some(index) = kept.as_ref().filter(|index| source.is(&index.key, &index.version)) {
            return Ok(Some(index.clone()));
        }
        let Some(index) = inspect::index(work, source).await? else { return Ok(None) };
        let index = Arc::new(CutIndex::fetch(work, source, index).await?);
        *kept = Some(index.clone()).filter(|index| !index.bytes.is_empty());
        Ok(Some(index))
    }
}

impl CutIndex {
    async fn fetch(work: &Work, source: &Source, index: Index) -> Result<Self, Halt> {
        let Index { boxes, mut ftyp, mut moov, movie } = index;
        let ranges: Vec<_> =
            outside_media(&boxes).into_iter().map(|range| range.start..range.end.min(source.size())).collect();
        let mut bytes = Vec::new();
        if ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum::<u64>() <= MOST {
            for (found, range) in boxes.iter().zip(&ranges) {
                bytes.push(match own(found, [&mut ftyp, &mut moov]) {
                    Some(known) if known.len() as u64 == range.end - range.start => known,
                    _ => source.read(work, range.clone()).await?,
                });
            }
        }
        let (key, version) = source.pinned();
        Ok(Self { key, version, movie, ranges, bytes })
    }

    /// Writes it to where it lies in the source.
    ///
    /// # Errors
    /// The disk is full; the source has changed or the store stays away.
    pub(super) async fn copy(&self, work: &Work, source: &Source, to: &File) -> Result<(), Halt> {
        if self.bytes.is_empty() {
            for range in &self.ranges {
                source.copy(work, range.clone(), to).await?;
            }
            return Ok(());
        }
        let write = async {
            let mut file = tokio::fs::File::from_std(to.try_clone()?);
            for (range, bytes) in self.ranges.iter().zip(&self.bytes) {
                file.seek(SeekFrom::Start(range.start)).await?;
                file.write_all(bytes).await?;
            }
            file.flush().await
        };
        write.await.map_err(|error| Halt::disk(&error))
    }
}

/// What reading the index has fetched of a box already.
fn own(found: &TopBox, [ftyp, moov]: [&mut Vec<u8>; 2]) -> Option<Vec<u8>> {
    match &found.kind.0 {
        b"ftyp" => Some(std::mem::take(ftyp)),
        b"moov" => Some(std::mem::take(moov)),
        _ => None,
    }
}
