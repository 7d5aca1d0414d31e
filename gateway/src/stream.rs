//! A slice of a `VirtualFile` as a body: one read per extent, opened when its turn comes, `Bytes` passed through as they
//! are. Dropping the body ends the read. Knows no HTTP.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reelgate_common::{
    db::DbError,
    file::FileRecord,
    ids::{FileId, OrgId},
    key::Key,
    rendition::Role,
    storage::{ByteStream, StorageError},
};
use tokio::time::Instant;

use crate::{
    app::App,
    virtual_file::{Extent, VirtualFile},
};

/// Bytes given to hyper at once: what a slow client can pin besides the chunk it is a slice of.
const FRAME: usize = 64 * 1024;
/// How often a long response asks whether its file still is: deletion cuts it within 10 s (design section 4).
const LIFE_CHECK: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("the file was deleted")]
    Deleted,
    /// Never padded, never more than promised: the connection is cut instead.
    #[error("an object gave another number of bytes than its layout says")]
    WrongLength,
}

/// Opens the first extent, so that a missing object or a store that is away can still be answered with a status.
///
/// # Errors
/// The first object cannot be read.
pub(crate) async fn open(
    app: Arc<App>,
    file: &FileRecord,
    attempt: i64,
    bytes: VirtualFile,
) -> Result<impl Stream<Item = Result<Bytes, StreamError>> + Send + 'static, StreamError> {
    let objects = Objects {
        org: file.org_id.clone(),
        file: file.id,
        generation: file.generation,
        attempt,
        source: file.source_key.clone(),
        app,
    };
    let mut reader = Reader {
        objects,
        waiting: bytes.into_extents().into(),
        reading: None,
        chunk: Bytes::new(),
        next_check: Instant::now() + LIFE_CHECK,
    };
    reader.advance().await?;
    Ok(stream::try_unfold(reader, |mut reader| async move { Ok(reader.next().await?.map(|frame| (frame, reader))) }))
}

/// Where the objects of one file lie, as far as is known.
struct Objects {
    app: Arc<App>,
    org: OrgId,
    file: FileId,
    generation: i64,
    attempt: i64,
    source: Key,
}

impl Objects {
    fn key(&self, role: &Role) -> Key {
        match role {
            Role::Source => self.source.clone(),
            Role::Output(name) => Key::Output {
                org: self.org.clone(),
                file: self.file,
                generation: self.generation,
                attempt: self.attempt,
                name: name.clone(),
            },
        }
    }

    /// Promotion moves the source under a reader, so that one is looked for once more.
    async fn get(&mut self, role: &Role, range: Range<u64>) -> Result<ByteStream, StreamError> {
        match (self.app.storage.get(&self.key(role), range.clone(), None).await, role) {
            (Err(StorageError::NotFound { .. }), Role::Source) => {
                self.app.rows.forget(&self.org, self.file);
                self.refresh().await?;
                Ok(self.app.storage.get(&self.key(role), range, None).await?)
            }
            (outcome, _) => Ok(outcome?),
        }
    }

    async fn refresh(&mut self) -> Result<(), StreamError> {
        let row = self.app.rows.find(&self.app.db, &self.org, self.file).await?.ok_or(StreamError::Deleted)?;
        self.source = row.file.source_key.clone();
        Ok(())
    }
}

/// What is being read of the extent whose turn it is.
struct Reading {
    chunks: ByteStream,
    left: u64,
}

struct Reader {
    objects: Objects,
    waiting: VecDeque<Extent>,
    reading: Option<Reading>,
    /// Of which frames are cut.
    chunk: Bytes,
    next_check: Instant,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        while self.chunk.is_empty() {
            if self.reading.is_none() && self.waiting.is_empty() {
                return Ok(None);
            }
            self.check_life().await?;
            self.fill().await?;
        }
        Ok(Some(self.chunk.split_to(self.chunk.len().min(FRAME))))
    }

    async fn fill(&mut self) -> Result<(), StreamError> {
        let Some(reading) = &mut self.reading else { return self.advance().await };
        match reading.chunks.next().await {
            Some(chunk) => {
                let chunk = chunk?;
                reading.left = reading.left.checked_sub(chunk.len() as u64).ok_or(StreamError::WrongLength)?;
                self.chunk = chunk;
            }
            None if reading.left > 0 => return Err(StreamError::WrongLength),
            None => self.reading = None,
        }
        if self.reading.as_ref().is_some_and(|reading| reading.left == 0) {
            self.reading = None;
        }
        Ok(())
    }

    /// Begins the next extent.
    async fn advance(&mut self) -> Result<(), StreamError> {
        match self.waiting.pop_front() {
            Some(Extent::Inline(bytes)) => self.chunk = bytes,
            Some(Extent::Object { role, range }) => {
                let left = range.end - range.start;
                self.reading = Some(Reading { chunks: self.objects.get(&role, range).await?, left });
            }
            None => {}
        }
        Ok(())
    }

    /// While the database is away, what plays goes on.
    async fn check_life(&mut self) -> Result<(), StreamError> {
        let now = Instant::now();
        if now < self.next_check {
            return Ok(());
        }
        self.next_check = now + LIFE_CHECK;
        match self.objects.refresh().await {
            Err(StreamError::Database(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a stream goes on unchecked");
                Ok(())
            }
            outcome => outcome,
        }
    }
}
