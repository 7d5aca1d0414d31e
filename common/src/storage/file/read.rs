//! Reading an object: big positioned reads, one ahead of the consumer, each straight into the memory that is sent.

use std::{fs::File, io, ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use rustix::{
    buffer::spare_capacity,
    fs::{Mode, OFlags, open},
    io::{Errno, pread},
};
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;

use super::{Tree, broken, from_io, version};
use crate::{
    key::Key,
    storage::{ByteStream, StorageError, Version},
};

/// Bytes of one read: large enough that the hop to the blocking pool does not count, small enough that two chunks for each
/// of many readers are little memory.
const CHUNK: u64 = 128 * 1024;

/// An object opened at one version. The descriptor keeps that version, whatever is renamed over its name.
pub(super) struct Reader {
    object: Arc<Opened>,
    rest: Range<u64>,
    ahead: Ahead,
}

struct Opened {
    file: File,
    key: Key,
}

/// The next chunk: read already, being read, or none.
enum Ahead {
    Read(Bytes),
    Reading(AbortOnDropHandle<Result<Bytes, StorageError>>),
    None,
}

impl Reader {
    /// Opens the object and reads the first chunk into `room`, so that a small object costs one hop to the blocking pool.
    pub(super) fn open(
        tree: &Tree,
        key: &Key,
        range: Range<u64>,
        wanted: Option<&Version>,
        room: Vec<u8>,
    ) -> Result<Self, StorageError> {
        let file = open_plain(&tree.object(key)).map_err(|error| from_io(key, error))?;
        let metadata = file.metadata().map_err(|error| from_io(key, error))?;
        if !metadata.is_file() {
            return Err(StorageError::NotFound { key: key.to_string() });
        }
        if wanted.is_some_and(|wanted| *wanted != version(&metadata)) {
            return Err(StorageError::Changed { key: key.to_string() });
        }
        if range.is_empty() || range.end > metadata.len() {
            return Err(broken(key, format!("range {range:?} is not within {} bytes", metadata.len())));
        }
        let object = Arc::new(Opened { file, key: key.clone() });
        let (first, rest) = split(range);
        let ahead = Ahead::Read(object.read(first, room)?);
        Ok(Self { object, rest, ahead })
    }

    /// Dropping the stream ends the reading: at most the chunk being read is read in vain.
    pub(super) fn stream(self) -> ByteStream {
        Box::pin(stream::try_unfold(self, |mut reader| async {
            let chunk = match std::mem::replace(&mut reader.ahead, Ahead::None) {
                Ahead::Read(chunk) => chunk,
                Ahead::Reading(task) => match task.await {
                    Ok(chunk) => chunk?,
                    Err(error) => return Err(broken(&reader.object.key, error.to_string())),
                },
                Ahead::None => return Ok(None),
            };
            reader.read_ahead();
            Ok(Some((chunk, reader)))
        }))
    }

    fn read_ahead(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let (next, rest) = split(self.rest.clone());
        self.rest = rest;
        let (object, room) = (Arc::clone(&self.object), room_for(&next));
        self.ahead = Ahead::Reading(AbortOnDropHandle::new(spawn_blocking(move || object.read(next, room))));
    }
}

impl Opened {
    /// All bytes of `range`, or an error: a file that has become shorter is never padded.
    fn read(&self, range: Range<u64>, mut buffer: Vec<u8>) -> Result<Bytes, StorageError> {
        let wanted = usize::try_from(range.end - range.start).expect("a chunk fits into memory");
        buffer.reserve_exact(wanted);
        while buffer.len() < wanted {
            // The allocator may give more room than was asked for.
            let at = range.start + buffer.len() as u64;
            match pread(&self.file, spare_capacity(&mut buffer), at) {
                Ok(0) => return Err(broken(&self.key, format!("the file ends at {at}, before {}", range.end))),
                Ok(_) => {}
                Err(Errno::INTR) => {}
                Err(error) => return Err(from_io(&self.key, error.into())),
            }
        }
        buffer.truncate(wanted);
        Ok(Bytes::from(buffer))
    }
}

/// A symbolic link is no object: it may lead out of the root. Nor may a pipe in an object's place hold the thread.
fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(Errno::LOOP) => Err(io::ErrorKind::NotFound.into()),
        Err(error) => Err(error.into()),
    }
}

/// Memory for the first chunk of `range`. To be made before the hop to the blocking pool: that has hundreds of threads, and an
/// allocator with an arena for each of a few threads keeps in every one of them what was freed there.
pub(super) fn room_for(range: &Range<u64>) -> Vec<u8> {
    Vec::with_capacity(
        usize::try_from(range.end.saturating_sub(range.start).min(CHUNK)).expect("a chunk fits into memory"),
    )
}

fn split(range: Range<u64>) -> (Range<u64>, Range<u64>) {
    let middle = range.end.min(range.start + CHUNK);
    (range.start..middle, middle..range.end)
}
