//! Pieces in the store: what parts have made and nobody sees. A row of the database names each with its digest, so whoever fetches one
//! has what was stored or hears that it has not.

use std::{fs::File, path::Path};

use futures_util::TryStreamExt;
use reelgate_common::{
    db::{DueJob, Part},
    hex::hex,
    key::Key,
    queue::Entry,
    storage::StorageError,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::super::{Work, store};
use crate::{halt::Halt, patience::Passing};

/// An object of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    attempt: i64,
    name: String,
    size: u64,
    /// SHA-256 in hex.
    digest: String,
}

/// One rung of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RungPiece {
    pub(super) rung: String,
    pub(super) object: Stored,
    /// When the picture decoded last has been shown, in ticks of the split, counted from the part's first picture.
    pub(super) end: i64,
    /// What of it was decoded (`Event::Looked`), as far as whoever looks at the whole rung would decode it.
    pub(super) proven: Vec<String>,
}

/// What a part has made, in the words of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartMade {
    pub(super) pieces: Vec<RungPiece>,
}

impl PartMade {
    pub(super) fn of(part: &Part) -> Option<Self> {
        serde_json::from_value(part.made.clone()?).ok()
    }
}

/// Stores a piece of this attempt. The next write under the fence is to name it.
///
/// # Errors
/// The store stays away, or scratch cannot be read.
pub(super) async fn store(work: &Work, name: &str, file: File, size: u64) -> Result<Stored, Halt> {
    let key = work.key(name);
    let digest = store::store_file(work, &key, file, size).await?;
    // From here on the database may name it.
    work.litter.keep(&key);
    Ok(Stored { attempt: work.attempt.fence.attempt, name: name.to_owned(), size, digest })
}

/// Fetches a piece.
///
/// # Errors
/// It is gone or damaged, the store stays away, or the disk is full.
pub(super) async fn fetch(work: &Work, piece: &Stored, to: &Path) -> Result<(), Halt> {
    let (key, storage) = (key(work, piece), &work.backends.storage);
    let fetched = work.patience.keep_trying("fetching a piece", || async {
        let mut chunks = storage.get(&key, 0..piece.size, None).await?;
        let mut file = tokio::fs::File::create(to).await.map_err(Lack::Disk)?;
        let mut hash = Sha256::new();
        while let Some(chunk) = chunks.try_next().await? {
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(Lack::Disk)?;
        }
        file.flush().await.map_err(Lack::Disk)?;
        Ok::<_, Lack>(hex(&hash.finalize()))
    });
    match fetched.await {
        Ok(digest) if digest == piece.digest => Ok(()),
        Ok(_) => Err(Halt::failed("piece_damaged", "A part of the film was damaged in the store.", false)),
        Err(Lack::Store(StorageError::NotFound { .. })) => {
            Err(Halt::failed("piece_missing", "A part of the film is missing in the store.", false))
        }
        Err(Lack::Store(error)) => Err(error.into()),
        Err(Lack::Disk(error)) => Err(Halt::disk(&error)),
    }
}

#[derive(Debug, thiserror::Error)]
enum Lack {
    #[error(transparent)]
    Store(#[from] StorageError),
    #[error("the scratch folder: {0}")]
    Disk(std::io::Error),
}

impl Passing for Lack {
    fn passing(&self) -> bool {
        match self {
            Self::Store(error) => error.passing(),
            Self::Disk(_) => false,
        }
    }
}

/// Nobody needs it any more when this attempt ends.
pub(super) fn litter(work: &Work, piece: &Stored) {
    work.litter.object(&key(work, piece));
}

/// All that a part has made.
pub(super) fn discard(work: &Work, part: &Part) {
    let made = PartMade::of(part).map_or_else(Vec::new, |made| made.pieces);
    made.iter().for_each(|piece| litter(work, &piece.object));
}

fn key(work: &Work, piece: &Stored) -> Key {
    output_key(work, piece.attempt, &piece.name)
}

/// An object of any attempt of this generation.
pub(super) fn output_key(work: &Work, attempt: i64, name: &str) -> Key {
    let fence = &work.attempt.fence;
    let (org, name) = (work.attempt.file.org_id.clone(), name.to_owned());
    Key::Output { org, file: fence.file_id, generation: fence.generation, attempt, name }
}

/// Tells the queue what can be claimed now; a queue that does not hear it hears it from the dispatcher.
pub(super) async fn announce(work: &Work, due: Vec<DueJob>) {
    let entries: Vec<Entry> = due.into_iter().map(Entry::from).collect();
    if entries.is_empty() {
        return;
    }
    if let Err(error) = work.backends.queue.enqueue(&entries).await {
        tracing::warn!(job.id = %work.attempt.job.id, %error, "parts of a film are left to the dispatcher");
    }
}
