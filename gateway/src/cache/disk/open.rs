//! A block on disk that is open: its file, the sums of its head, and which of its pieces were found to be what was written.
//!
//! A piece that lies in the kernel's memory is read at once, without a thread for it (`RWF_NOWAIT`), and summed only if
//! that was not done before. All else is read by a thread that may wait, and summed; and since the kernel has then let go
//! of some of the block, so is all of it again at its next reading.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU8, Ordering},
};

use bytes::Bytes;
use rustix::{
    io::{Errno, ReadWriteFlags, preadv2},
    process::{Resource, getrlimit},
};

use super::block::{self, HEAD, Stored, damaged};
use crate::cache::pool::{Buffer, PIECE, Pool};

pub(super) struct OpenBlock {
    pub(super) stored: Stored,
    file: File,
    pieces: Vec<Piece>,
}

struct Piece {
    sum: u32,
    /// It was read before, and was what it should be.
    checked: AtomicBool,
    /// How often it was at hand, in turns of `OFTEN`.
    asked: AtomicU8,
}

/// A piece that was there without waiting.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cache) struct AtHand {
    pub(in crate::cache) bytes: Bytes,
    /// It was asked for often enough to be kept in memory, which spares the copy.
    pub(in crate::cache) is_hot: bool,
}

/// Copying a piece costs little more than finding it in memory, and for each that goes there another has to leave. So only what
/// comes again and again does (5 % less time at 64 KiB, `docs/bench.md`).
const OFTEN: u8 = 8;

/// Reading without waiting is not possible on every file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

impl OpenBlock {
    /// `start` is where in its object the part begins. Blocks the thread.
    ///
    /// # Errors
    /// There is no such file, or its head is not what was written.
    pub(super) fn open(folder: &Path, stored: &Stored, start: u64) -> io::Result<Self> {
        let file = File::open(stored.path(folder))?;
        let sums = block::sums(&file, stored, start)?;
        let pieces = sums
            .into_iter()
            .map(|sum| Piece { sum, checked: AtomicBool::new(false), asked: AtomicU8::new(0) })
            .collect();
        Ok(Self { stored: *stored, file, pieces })
    }

    /// Pieces of the part, counted from its first. Blocks the thread.
    ///
    /// # Errors
    /// They cannot be read, or are not what was written.
    pub(super) fn read(&self, wanted: Range<u64>, pool: &Pool) -> io::Result<Vec<Bytes>> {
        self.pieces.iter().for_each(|piece| piece.checked.store(false, Ordering::Relaxed));
        wanted.map(|index| self.read_one(index, pool)).collect()
    }

    fn read_one(&self, index: u64, pool: &Pool) -> io::Result<Bytes> {
        let (piece, mut buffer, size) = self.prepare(index, pool).ok_or_else(|| damaged("a length"))?;
        self.file.read_exact_at(buffer.fill(size), place(index))?;
        if piece.holds(&buffer) { Ok(buffer.freeze()) } else { Err(damaged("a piece")) }
    }

    /// A piece, if that takes no waiting. What is wrong with it `read` says.
    pub(super) fn at_hand(&self, index: u64, pool: &Pool) -> Result<Option<AtHand>, Refused> {
        let Some((piece, mut buffer, size)) = self.prepare(index, pool) else { return Ok(None) };
        let target = &mut [IoSliceMut::new(buffer.fill(size))];
        match preadv2(&self.file, target, place(index), ReadWriteFlags::NOWAIT) {
            Ok(read) if read == size => {
                Ok(piece.holds(&buffer).then(|| AtHand { bytes: buffer.freeze(), is_hot: piece.is_hot() }))
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => Err(Refused),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    fn prepare(&self, index: u64, pool: &Pool) -> Option<(&Piece, Buffer, usize)> {
        let piece = self.pieces.get(usize::try_from(index).ok()?)?;
        let left = self.stored.length().checked_sub(index * PIECE as u64)?;
        let size = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        Some((piece, pool.buffer(size), size))
    }
}

impl Piece {
    fn holds(&self, buffer: &Buffer) -> bool {
        if !self.checked.load(Ordering::Relaxed) {
            self.checked.store(crc32fast::hash(buffer.as_ref()) == self.sum, Ordering::Relaxed);
        }
        self.checked.load(Ordering::Relaxed)
    }

    /// Every so often.
    fn is_hot(&self) -> bool {
        // 256 is a multiple of it, so wrapping does not disturb.
        self.asked.fetch_add(1, Ordering::Relaxed) % OFTEN == OFTEN - 1
    }
}

fn place(index: u64) -> u64 {
    HEAD as u64 + index * PIECE as u64
}

/// How many blocks are kept open: a part of what the process may open, for connections need descriptors too.
pub(super) fn limit() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors / 4).map_or(MOST, |share| share.clamp(LEAST, MOST))
}

const LEAST: usize = 16;
const MOST: usize = 4096;
