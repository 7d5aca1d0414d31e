//! Writing an object: into a draft below `.tmp/`, synced, stamped, renamed. Parts lie at their offset in one file, so
//! nothing is joined at the end.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bytes::Bytes;
use uuid::Uuid;

use super::{Tree, broken, from_io, is_absent};
use crate::{
    key::Key,
    storage::{MultipartId, ObjectMeta, PartTag, StorageError},
};

/// A file under way. Dropped without `keep` or a successful `publish`, it is removed.
pub(super) struct Draft<'a> {
    tree: &'a Tree,
    key: &'a Key,
    upload: MultipartId,
    part_size: u64,
    path: PathBuf,
    file: File,
    armed: bool,
}

/// The size of the parts, which the name of a draft carries: any process can go on with it.
pub(super) fn part_size(upload: &MultipartId) -> Option<u64> {
    let (size, id) = upload.0.split_once('-')?;
    Uuid::try_parse(id).ok()?;
    size.parse().ok()
}

impl<'a> Draft<'a> {
    pub(super) fn create(tree: &'a Tree, key: &'a Key, part_size: u64) -> Result<Self, StorageError> {
        let upload = MultipartId(format!("{part_size}-{}", Uuid::now_v7()));
        let path = tree.drafts(key).join(&upload.0);
        let file = tree
            .folders
            .within(&path, || OpenOptions::new().write(true).create_new(true).open(&path))
            .map_err(|error| from_io(key, error))?;
        Ok(Self { tree, key, upload, part_size, path, file, armed: true })
    }

    /// Opens a draft of any process; one that was aborted is `NotFound`. It is not armed: only its owner drops it.
    pub(super) fn open(tree: &'a Tree, key: &'a Key, upload: &MultipartId) -> Result<Self, StorageError> {
        let missing = || StorageError::NotFound { key: key.to_string() };
        let part_size = part_size(upload).ok_or_else(missing)?;
        let path = Self::path(tree, key, upload).ok_or_else(missing)?;
        let file = OpenOptions::new().write(true).open(&path).map_err(|error| from_io(key, error))?;
        Ok(Self { tree, key, upload: upload.clone(), part_size, path, file, armed: false })
    }

    /// Where the draft of this name lies; nowhere when the name is none of ours.
    pub(super) fn path(tree: &Tree, key: &Key, upload: &MultipartId) -> Option<PathBuf> {
        part_size(upload)?;
        Some(tree.drafts(key).join(&upload.0))
    }

    pub(super) fn keep(mut self) -> MultipartId {
        self.armed = false;
        self.upload.clone()
    }

    /// Writes part `number` at its offset.
    pub(super) fn write(&self, number: u32, chunks: &[Bytes]) -> Result<FileTag, StorageError> {
        let size = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        if size > self.part_size {
            return Err(broken(self.key, format!("part {number} has {size} bytes, more than {}", self.part_size)));
        }
        let mut offset = u64::from(number)
            .checked_mul(self.part_size)
            .ok_or_else(|| broken(self.key, format!("part {number} lies beyond any file")))?;
        for chunk in chunks {
            self.file.write_all_at(chunk, offset).map_err(|error| from_io(self.key, error))?;
            offset += chunk.len() as u64;
        }
        Ok(FileTag { number, size })
    }

    /// Makes the draft the object: all parts there, durable, stamped, renamed, the name durable.
    pub(super) fn publish(mut self, parts: &[FileTag]) -> Result<ObjectMeta, StorageError> {
        let size = whole_size(self.key, self.part_size, parts)?;
        self.seal(size).map_err(|error| from_io(self.key, error))?;
        let target = self.tree.object(self.key);
        self.tree.folders.within(&target, || self.rename(&target)).map_err(|error| from_io(self.key, error))?;
        self.armed = false;
        self.tree.folders.settle(&target).map_err(|error| from_io(self.key, error))?;
        self.tree.prune_drafts(&self.path);
        self.tree.head(self.key)
    }

    /// As `publish`, but a failure leaves the draft to be completed again or aborted.
    pub(super) fn publish_or_keep(mut self, parts: &[FileTag]) -> Result<ObjectMeta, StorageError> {
        self.armed = false;
        self.publish(parts)
    }

    fn seal(&self, size: u64) -> io::Result<()> {
        let found = self.file.metadata()?.len();
        if found < size {
            return Err(io::Error::other(format!("{found} bytes were written, {size} belong to the parts")));
        }
        if found > size {
            // The last part was repeated, shorter.
            self.file.set_len(size)?;
        }
        self.file.set_modified(SystemTime::now())?;
        self.file.sync_all()
    }

    /// `NotFound` means that the folder has vanished, unless the draft itself is gone: aborted meanwhile.
    fn rename(&self, target: &Path) -> io::Result<()> {
        match fs::rename(&self.path, target) {
            Err(error) if is_absent(&error) && !self.path.exists() => Err(io::ErrorKind::NotADirectory.into()),
            done => done,
        }
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if self.armed && fs::remove_file(&self.path).is_ok() {
            self.tree.prune_drafts(&self.path);
        }
    }
}

/// A stored part: `{number}:{size}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileTag {
    number: u32,
    size: u64,
}

impl FileTag {
    pub(super) fn text(self) -> PartTag {
        PartTag(format!("{}:{}", self.number, self.size))
    }

    pub(super) fn parse(key: &Key, tag: &PartTag) -> Result<Self, StorageError> {
        tag.0
            .split_once(':')
            .and_then(|(number, size)| Some(Self { number: number.parse().ok()?, size: size.parse().ok()? }))
            .ok_or_else(|| broken(key, format!("{:?} is no tag of a part of this store", tag.0)))
    }
}

/// Parts must be in order, and all but the last full: else a hole would be served as zeros.
fn whole_size(key: &Key, part_size: u64, parts: &[FileTag]) -> Result<u64, StorageError> {
    let last = parts.len().saturating_sub(1);
    let fits = |(index, tag): (usize, &FileTag)| {
        tag.number as usize == index && (tag.size == part_size || (index == last && tag.size < part_size))
    };
    if !parts.iter().enumerate().all(fits) {
        return Err(broken(key, "parts are missing, out of order, or of unequal sizes"));
    }
    Ok(parts.iter().map(|tag| tag.size).sum())
}

/// A draft that is gone was published, if its object lies there in full; else it was aborted.
pub(super) fn published_before(tree: &Tree, key: &Key, parts: &[FileTag]) -> Result<ObjectMeta, StorageError> {
    let found = tree.head(key)?;
    let size = parts.iter().map(|tag| tag.size).sum::<u64>();
    if found.size != size {
        return Err(StorageError::NotFound { key: key.to_string() });
    }
    tree.folders.settle(&tree.object(key)).map_err(|error| from_io(key, error))?;
    Ok(found)
}

/// Copies by a second name where the file system can, since objects are never written in place.
pub(super) fn copy(tree: &Tree, from: &Key, to: &Key) -> Result<ObjectMeta, StorageError> {
    let size = tree.head(from)?.size;
    match link(tree, from, to) {
        Ok(()) => tree.head(to),
        Err(error) if is_absent(&error) => Err(from_io(from, error)),
        Err(_) => {
            let draft = Draft::create(tree, to, size)?;
            fs::copy(tree.object(from), &draft.path).map_err(|error| from_io(from, error))?;
            draft.publish(&[FileTag { number: 0, size }])
        }
    }
}

/// The second name comes by rename, which replaces an older object at once. A rename between two names of the same
/// file does nothing (POSIX), so the draft's name may have to be removed afterwards.
fn link(tree: &Tree, from: &Key, to: &Key) -> io::Result<()> {
    let (source, target) = (tree.object(from), tree.object(to));
    let draft = tree.drafts(to).join(format!("0-{}", Uuid::now_v7()));
    let linked = tree.folders.within(&draft, || existing(&source).and_then(|()| fs::hard_link(&source, &draft)));
    linked?;
    let renamed = tree.folders.within(&target, || fs::rename(&draft, &target));
    let _ = fs::remove_file(&draft);
    tree.prune_drafts(&draft);
    renamed.and_then(|()| tree.folders.settle(&target))
}

/// Tells a source that is gone from a folder that has vanished, of which `Folders::within` makes another.
fn existing(source: &Path) -> io::Result<()> {
    if source.exists() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}
