//! Cuts the chunks of a store into pieces, copying each byte once. A chunk may be a slice of something large, so keeping
//! it would hold more memory than it says.

use std::ops::Range;

use bytes::{Buf, Bytes};

use super::pool::{Buffer, PIECE, Pool};

/// Pieces of one run, in order. The run starts at a piece; its last piece may be short.
pub(super) struct Gather {
    pool: Pool,
    /// Of which nothing has come yet.
    rest: Range<u64>,
    index: u64,
    filling: Option<Buffer>,
}

impl Gather {
    pub(super) fn new(pool: Pool, run: Range<u64>) -> Self {
        Self { pool, index: run.start / PIECE as u64, rest: run, filling: None }
    }

    /// Takes from `chunk` what the next piece lacks; gives that piece once it is whole. To be called until the chunk is
    /// empty. What lies beyond the run is left in the chunk.
    pub(super) fn take(&mut self, chunk: &mut Bytes) -> Option<(u64, Bytes)> {
        let mut buffer = self.filling.take().or_else(|| self.begin())?;
        let wanted = self.size() - buffer.len();
        let part = chunk.len().min(wanted);
        buffer.push(&chunk[..part]);
        chunk.advance(part);
        if part < wanted {
            self.filling = Some(buffer);
            return None;
        }
        self.rest.start += buffer.len() as u64;
        self.index += 1;
        Some((self.index - 1, buffer.freeze()))
    }

    /// Whether all of the run has come.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn begin(&self) -> Option<Buffer> {
        (!self.rest.is_empty()).then(|| self.pool.buffer(self.size()))
    }

    /// Of the piece whose turn it is.
    fn size(&self) -> usize {
        usize::try_from(self.rest.end - self.rest.start).map_or(PIECE, |left| left.min(PIECE))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn however_it_is_chunked_the_pieces_are_the_same(
            length in 1usize..300_000,
            sizes in proptest::collection::vec(1usize..100_000, 1..20),
        ) {
            let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let start = 3 * PIECE as u64;
            let mut gather = Gather::new(Pool::default(), start..start + length as u64);
            let (mut rest, mut pieces) = (Bytes::from(content.clone()), Vec::new());
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let mut chunk = rest.split_to(rest.len().min(*size));
                while !chunk.is_empty() {
                    pieces.extend(gather.take(&mut chunk));
                }
            }
            prop_assert!(gather.is_done());
            for (at, (index, bytes)) in pieces.iter().enumerate() {
                prop_assert_eq!(*index, 3 + at as u64);
                prop_assert_eq!(&bytes[..], &content[at * PIECE..content.len().min((at + 1) * PIECE)]);
            }
            prop_assert_eq!(pieces.len(), length.div_ceil(PIECE));
        }
    }

    #[test]
    fn what_is_too_much_stays_in_the_chunk() {
        let mut gather = Gather::new(Pool::default(), 0..3);
        let mut chunk = Bytes::from_static(b"abcd");
        assert_eq!(gather.take(&mut chunk), Some((0, Bytes::from_static(b"abc"))));
        assert_eq!((gather.take(&mut chunk), &chunk[..]), (None, &b"d"[..]));
    }
}
