//! A block on disk that is open: its file, the sums of its head, and which of its pieces were found to be what was written.
//!
//! A piece that lies in the kernel's memory is read at once, without a thread for it (`RWF_NOWAIT`), and summed only if
//! that was not done before. All else is read by a thread that may wait, and summed; and what else of the block the kernel has then
//! let go of is summed again at its next reading. What was summed may also be sent from the file, by a connection that asks
//! before it sends.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    ops::Range,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::{
    io::{Errno, ReadWriteFlags, preadv2},
    process::{Resource, getrlimit},
};

use super::block::{self, HEAD, Stored, damaged};
use crate::{
    body::{FilePart, KeptFile},
    cache::pool::{Buffer, PIECE, Pool},
};

#[derive(Debug)]
pub(super) struct OpenBlock {
    pub(super) stored: Stored,
    file: File,
    pieces: Vec<Piece>,
    since: Instant,
    /// For the index: it stays longer.
    asked: Arc<AtomicBool>,
    _open: Arc<()>,
}

#[derive(Debug)]
struct Piece {
    sum: u32,
    /// It was read before, and was what it should be.
    checked: AtomicBool,
    /// How often it was at hand, in turns of `OFTEN`.
    asked: AtomicU8,
    /// Until when it is taken to lie in the kernel's memory, in milliseconds since the block was opened.
    trusted: AtomicU64,
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

/// How long a piece that the kernel was found to hold is taken to be there, whoever asks. A socket takes 1 MiB in many steps, and
/// asking about all that is left at each of them cost a fifth of the time (`docs/bench.md`).
pub(super) const TRUSTED: Duration = Duration::from_millis(100);

/// Reading without waiting is not possible on every file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

impl OpenBlock {
    /// `start` is where in its object the part begins; `asked` is the index's, `open` is shared by all that are open. Blocks the thread.
    ///
    /// # Errors
    /// There is no such file, or its head is not what was written.
    pub(super) fn open(
        folder: &Path,
        (stored, asked): (&Stored, Arc<AtomicBool>),
        start: u64,
        open: &Arc<()>,
    ) -> io::Result<Self> {
        let file = File::open(stored.path(folder))?;
        let sums = block::sums(&file, stored, start)?;
        let pieces = sums.into_iter().map(Piece::new).collect();
        Ok(Self { stored: *stored, file, pieces, since: Instant::now(), asked, _open: Arc::clone(open) })
    }

    /// It was written a moment ago, by us: as long as the kernel has not let go of a piece, there is nothing to sum.
    pub(super) fn believe(&self) {
        for (_, piece) in (0..).zip(&self.pieces).filter(|(index, _)| self.is_resident(place(*index))) {
            piece.checked.store(true, Ordering::Relaxed);
        }
    }

    /// Somebody wants it. Written only when that is news: all who read it would wait for each other.
    pub(super) fn touch(&self) {
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    /// Pieces of the part, counted from its first. Blocks the thread.
    ///
    /// # Errors
    /// They cannot be read, or are not what was written.
    pub(super) fn read(&self, wanted: Range<u64>, pool: &Pool) -> io::Result<Vec<Bytes>> {
        self.doubt(&wanted);
        wanted.map(|index| self.read_one(index, pool)).collect()
    }

    /// Before `wanted` is read: that is to be summed, and so is what the kernel has let go of, for reading may bring it back.
    fn doubt(&self, wanted: &Range<u64>) {
        for (index, piece) in (0..).zip(&self.pieces).filter(|(_, piece)| piece.is_checked()) {
            let known = !wanted.contains(&index) && self.is_resident(place(index));
            piece.checked.store(known, Ordering::Relaxed);
        }
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

    /// What begins with this piece and was found to be what was written, to be sent unread.
    pub(super) fn in_file(self: &Arc<Self>, index: u64) -> Option<FilePart> {
        let rest = self.pieces.get(usize::try_from(index).ok()?..)?;
        let checked = rest.iter().take_while(|piece| piece.is_checked()).count() as u64;
        let end = ((index + checked) * PIECE as u64).min(self.stored.length());
        let bytes = place(index)..HEAD as u64 + end;
        (!bytes.is_empty()).then(|| FilePart { file: Arc::<Self>::clone(self), bytes })
    }

    /// Whether the kernel holds the byte at `at` of the file.
    fn is_resident(&self, at: u64) -> bool {
        let target = &mut [0];
        matches!(preadv2(&self.file, &mut [IoSliceMut::new(target)], at, ReadWriteFlags::NOWAIT), Ok(1))
    }

    fn prepare(&self, index: u64, pool: &Pool) -> Option<(&Piece, Buffer, usize)> {
        let piece = self.pieces.get(usize::try_from(index).ok()?)?;
        let left = self.stored.length().checked_sub(index * PIECE as u64)?;
        let size = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        Some((piece, pool.buffer(size), size))
    }
}

impl OpenBlock {
    pub(super) fn is_at_hand_at(&self, bytes: &Range<u64>, now: Duration) -> bool {
        pieces(bytes).all(|index| self.is_piece_at_hand(index, bytes, now))
    }

    /// Asked of the first of these bytes in the piece, and of the last of all: the kernel lets go of neighbours together, from one
    /// end.
    fn is_piece_at_hand(&self, index: u64, bytes: &Range<u64>, now: Duration) -> bool {
        let piece = usize::try_from(index).ok().and_then(|index| self.pieces.get(index));
        let Some(piece) = piece.filter(|piece| piece.is_checked()) else { return false };
        if piece.is_trusted(now) {
            return true;
        }
        let (first, end) = (place(index).max(bytes.start), place(index + 1).min(bytes.end));
        let found = self.is_resident(first) && (end < bytes.end || self.is_resident(end - 1));
        if found {
            piece.trust(now);
        }
        found
    }
}

/// The pieces that bytes of a block's file lie in.
fn pieces(bytes: &Range<u64>) -> Range<u64> {
    let body = |at: u64| at.saturating_sub(HEAD as u64);
    body(bytes.start) / PIECE as u64..body(bytes.end).div_ceil(PIECE as u64)
}

impl KeptFile for OpenBlock {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn is_at_hand(&self, bytes: &Range<u64>) -> bool {
        self.is_at_hand_at(bytes, self.since.elapsed())
    }

    fn distrust(&self, bytes: &Range<u64>) {
        let pieces = pieces(bytes).filter_map(|index| self.pieces.get(usize::try_from(index).ok()?));
        pieces.for_each(|piece| piece.checked.store(false, Ordering::Relaxed));
    }

    fn bring(&self, bytes: &Range<u64>) -> io::Result<()> {
        let pool = Pool::default();
        let mut wanted = pieces(bytes);
        self.doubt(&wanted);
        wanted.try_for_each(|index| self.read_one(index, &pool).map(drop))
    }
}

impl Piece {
    fn new(sum: u32) -> Self {
        Self { sum, checked: AtomicBool::new(false), asked: AtomicU8::new(0), trusted: AtomicU64::new(0) }
    }

    fn is_trusted(&self, now: Duration) -> bool {
        now < Duration::from_millis(self.trusted.load(Ordering::Relaxed))
    }

    fn trust(&self, now: Duration) {
        let until = u64::try_from((now + TRUSTED).as_millis()).unwrap_or(u64::MAX);
        self.trusted.store(until, Ordering::Relaxed);
    }

    fn is_checked(&self) -> bool {
        self.checked.load(Ordering::Relaxed)
    }

    fn holds(&self, buffer: &Buffer) -> bool {
        if !self.is_checked() {
            self.checked.store(crc32fast::hash(buffer.as_ref()) == self.sum, Ordering::Relaxed);
        }
        self.is_checked()
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
