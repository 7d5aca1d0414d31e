//! Walking the files below a folder, some at a time, so that neither memory nor a blocking thread is held by a large tree.

use std::{
    collections::VecDeque,
    fs::{self, Metadata, ReadDir},
    io,
    path::{Path, PathBuf},
};

use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use super::from_io;
use crate::storage::StorageError;

/// Files looked at per hop to the blocking pool.
const BATCH: usize = 256;

/// A regular file, named relative to the root of the walk.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) metadata: Metadata,
}

/// A walk in depth over the names that begin with a prefix.
pub(super) struct Walk {
    root: PathBuf,
    prefix: String,
    open: Vec<ReadDir>,
    begun: bool,
}

impl Walk {
    pub(super) fn new(root: PathBuf, prefix: &str) -> Self {
        Self { root, prefix: prefix.to_owned(), open: Vec::new(), begun: false }
    }

    pub(super) fn stream(self) -> BoxStream<'static, Result<Found, StorageError>> {
        let batches = stream::try_unfold(self, |mut walk| async {
            let prefix = walk.prefix.clone();
            let done = tokio::task::spawn_blocking(move || walk.batch().map(|batch| (batch, walk))).await;
            match done {
                Ok(Ok((batch, _))) if batch.is_empty() => Ok(None),
                Ok(Ok((batch, walk))) => Ok(Some((stream::iter(batch).map(Ok), walk))),
                Ok(Err(error)) => Err(from_io(&prefix, error)),
                Err(error) => Err(StorageError::Failed { key: prefix, source: Box::new(error) }),
            }
        });
        batches.try_flatten().boxed()
    }

    /// The next files; none at the end.
    fn batch(&mut self) -> io::Result<VecDeque<Found>> {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin()?;
        }
        let mut batch = VecDeque::new();
        while batch.len() < BATCH {
            let Some(folder) = self.open.last_mut() else { break };
            match folder.next() {
                None => drop(self.open.pop()),
                Some(entry) => batch.extend(self.visit(&entry?)?),
            }
        }
        Ok(batch)
    }

    /// Opens the innermost folder that all wanted names share.
    fn begin(&mut self) -> io::Result<()> {
        let folder = self.prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_ours = |part: &str| !part.is_empty() && !part.starts_with('.');
        if folder.is_empty() || folder.split('/').all(is_ours) {
            self.enter(&self.root.join(folder))?;
        }
        Ok(())
    }

    fn enter(&mut self, folder: &Path) -> io::Result<()> {
        match fs::read_dir(folder) {
            Ok(entries) => self.open.push(entries),
            Err(error) if super::is_absent(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A file that is wanted; folders are entered. What vanishes meanwhile was deleted by somebody.
    fn visit(&mut self, entry: &fs::DirEntry) -> io::Result<Option<Found>> {
        let path = entry.path();
        let Some(name) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else { return Ok(None) };
        if name.starts_with('.') || !name.starts_with(&self.prefix) {
            return Ok(None);
        }
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        if metadata.is_dir() {
            self.enter(&path)?;
            return Ok(None);
        }
        Ok(metadata.is_file().then(|| Found { name: name.to_owned(), metadata }))
    }
}
