//! A part of a block as a file: its name says what it is, its head sums up each piece. Written beside and renamed.
//!
//! `{folder}/{file}/{object}.{block}.{first}.{end}`: `object` is the fingerprint of the object's name, in hex; the part goes from
//! piece `first` to byte `end` of the block. The head is 4 KiB: magic, where the part begins in its object, the number of
//! pieces, their CRC-32s, and the CRC-32 of all that; then the bytes.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use reelgate_common::ids::FileId;

use crate::cache::pool::PIECE;

const MAGIC: &[u8; 8] = b"rgblock1";
pub(super) const HEAD: usize = 4096;
/// Magic, place, number of pieces.
const FIXED: usize = 8 + 16 + 8 + 8;
/// Ends the name of a file that is being written.
const DRAFT: &str = "draft";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BlockKey {
    /// Of the object's name.
    pub(super) object: u128,
    pub(super) block: u64,
}

/// A part of a block that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) key: BlockKey,
    pub(super) file: FileId,
    /// Piece of the block with which it begins.
    pub(super) first: u64,
    /// Byte of the block with which it ends.
    pub(super) end: u64,
}

impl Stored {
    pub(super) fn length(&self) -> u64 {
        self.end - self.first * PIECE as u64
    }

    /// Room it takes.
    pub(super) fn weight(&self) -> u64 {
        HEAD as u64 + self.length().next_multiple_of(4096)
    }

    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        let Self { key, file, first, end } = self;
        folder.join(file.to_string()).join(format!("{:032x}.{}.{first}.{end}", key.object, key.block))
    }

    fn parse(file: FileId, name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let object = u128::from_str_radix(parts.next()?, 16).ok()?;
        let [block, first, end] =
            [parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?];
        let stored = Self { key: BlockKey { object, block }, file, first, end };
        (parts.next().is_none() && first.checked_mul(PIECE as u64)? < end).then_some(stored)
    }
}

/// What lies below the folder. What is torn or of no use is removed.
pub(super) fn find(folder: &Path) -> io::Result<Vec<Stored>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(file) = entry.file_name().to_str().and_then(|name| name.parse::<FileId>().ok()) else { continue };
        for part in fs::read_dir(entry.path())? {
            let part = part?;
            let stored = part.file_name().to_str().and_then(|name| Stored::parse(file, name));
            let length = part.metadata()?.len();
            match stored.filter(|stored| stored.length() + HEAD as u64 == length) {
                Some(stored) => found.push(stored),
                None => fs::remove_file(part.path())?,
            }
        }
        // Only when it is empty.
        let _ = fs::remove_dir(entry.path());
    }
    Ok(found)
}

/// `start` is where in its object the part begins.
pub(super) fn write(folder: &Path, stored: &Stored, start: u64, pieces: &[Bytes]) -> io::Result<()> {
    let path = stored.path(folder);
    fs::create_dir_all(folder.join(stored.file.to_string()))?;
    let draft = path.with_added_extension(DRAFT);
    let written = write_draft(&draft, &head(stored, start, pieces), pieces).and_then(|()| fs::rename(&draft, &path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, head: &[u8], pieces: &[Bytes]) -> io::Result<()> {
    let mut file = File::create(draft)?;
    let mut slices: Vec<IoSlice> =
        std::iter::once(IoSlice::new(head)).chain(pieces.iter().map(|piece| IoSlice::new(piece))).collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match file.write_vectored(rest)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut rest, written),
        }
    }
    Ok(())
}

fn head(stored: &Stored, start: u64, pieces: &[Bytes]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&stored.key.object.to_le_bytes());
    head.extend_from_slice(&start.to_le_bytes());
    head.extend_from_slice(&(pieces.len() as u64).to_le_bytes());
    for piece in pieces {
        head.extend_from_slice(&crc32fast::hash(piece).to_le_bytes());
    }
    head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    head.resize(HEAD, 0);
    head
}

/// The sums of its pieces, out of its head.
///
/// # Errors
/// It cannot be read, or is not what was written.
pub(super) fn sums(file: &File, stored: &Stored, start: u64) -> io::Result<Vec<u32>> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, 0)?;
    let pieces = usize::try_from(stored.length().div_ceil(PIECE as u64)).map_err(|_| damaged("a length"))?;
    let end = FIXED + 4 * pieces;
    let sum = |at: usize| head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let told = (&head[8..24], &head[24..32], &head[32..40]);
    let expected = (&stored.key.object.to_le_bytes()[..], &start.to_le_bytes()[..], &(pieces as u64).to_le_bytes()[..]);
    if &head[..8] != MAGIC || told != expected || end > HEAD || sum(end) != Some(crc32fast::hash(&head[..end])) {
        return Err(damaged("the head"));
    }
    (0..pieces).map(|index| sum(FIXED + 4 * index).ok_or_else(|| damaged("the head"))).collect()
}

pub(super) fn remove(folder: &Path, stored: &Stored) -> io::Result<()> {
    let path = stored.path(folder);
    let removed = fs::remove_file(&path);
    if let Some(parent) = path.parent() {
        // Only when it is empty.
        let _ = fs::remove_dir(parent);
    }
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is damaged"))
}
