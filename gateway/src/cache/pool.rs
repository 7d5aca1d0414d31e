//! The memory of the cache: allocations of at most 32 KiB, counted as long as anybody holds a slice of them, and used
//! again. Uncounted memory would be that of slow clients: they hold pieces which the cache has long given up.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// Largest allocation, and the step of the cache. hyper holds up to 64 KiB and one frame more of an answer that its client does not
/// take, so pieces of 64 KiB would mean two for each slow client, 128 KiB; three of these are 96 KiB.
pub(super) const PIECE: usize = 32 * 1024;
/// Free pieces kept for the next fetch; more go back to the allocator.
const MAX_FREE: usize = 128;

#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    free: Mutex<Vec<Vec<u8>>>,
    held: AtomicUsize,
}

impl Pool {
    /// An empty buffer with room for `size` bytes, at most a piece.
    pub(super) fn buffer(&self, size: usize) -> Buffer {
        let used_before = if size == PIECE { self.shared.lock().pop() } else { None };
        let bytes = used_before.unwrap_or_else(|| Vec::with_capacity(size.min(PIECE)));
        self.shared.held.fetch_add(bytes.capacity(), Ordering::Relaxed);
        Buffer { counted: bytes.capacity(), bytes, filled: 0, home: Arc::clone(&self.shared) }
    }

    /// Bytes allocated for buffers that somebody still holds.
    pub(super) fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes home on drop.
#[derive(Debug)]
pub(super) struct Buffer {
    /// As far as it was ever written: what was used before is not cleared, only written over.
    bytes: Vec<u8>,
    filled: usize,
    counted: usize,
    home: Arc<Shared>,
}

impl Buffer {
    pub(super) fn len(&self) -> usize {
        self.filled
    }

    /// Within the room asked for: a buffer never grows.
    pub(super) fn push(&mut self, data: &[u8]) {
        debug_assert!(self.filled + data.len() <= self.counted, "a buffer never grows");
        let (over, behind) = data.split_at(data.len().min(self.bytes.len() - self.filled));
        self.bytes[self.filled..self.filled + over.len()].copy_from_slice(over);
        self.bytes.extend_from_slice(behind);
        self.filled += data.len();
    }

    /// Its first `size` bytes, to be written; within the room asked for.
    pub(super) fn fill(&mut self, size: usize) -> &mut [u8] {
        debug_assert!(size <= self.counted, "a buffer never grows");
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        self.filled = size;
        &mut self.bytes[..size]
    }

    /// Shareable without a copy.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.held.fetch_sub(self.counted, Ordering::Relaxed);
        if self.bytes.capacity() == PIECE {
            let mut free = self.home.lock();
            if free.len() < MAX_FREE {
                free.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_counts_until_its_last_slice_has_gone() {
        let pool = Pool::default();
        let mut buffer = pool.buffer(PIECE);
        buffer.push(b"abc");
        let address = buffer.as_ref().as_ptr();
        let slice = buffer.freeze().slice(1..2);
        assert_eq!((&slice[..], pool.held()), (&b"b"[..], PIECE));
        drop(slice);
        assert_eq!(pool.held(), 0);
        assert_eq!(pool.buffer(PIECE).as_ref().as_ptr(), address, "it is used again");
    }

    #[test]
    fn a_buffer_that_was_used_before_shows_only_what_is_put_in() {
        let pool = Pool::default();
        pool.buffer(PIECE).fill(1_000).fill(7);
        let mut buffer = pool.buffer(PIECE);
        buffer.push(&[1; 600]);
        buffer.push(&[2; 600]);
        assert_eq!(buffer.as_ref(), [[1; 600], [2; 600]].concat());
        drop(buffer);
        assert_eq!(pool.buffer(PIECE).fill(2).len(), 2);
    }

    #[test]
    fn a_short_piece_takes_no_more_than_it_needs() {
        let pool = Pool::default();
        let _buffer = pool.buffer(1_000);
        assert_eq!(pool.held(), 1_000);
    }
}
