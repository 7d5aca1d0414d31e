//! Gathers the pieces of a block as a fetch brings them, for the disk tier. What memory still has of the same block is added,
//! so that a block read in two parts is kept whole.

use bytes::Bytes;

use super::{
    disk::{Disk, Leave},
    memory::Memory,
    object::{Object, PieceKey},
    pool::PIECE,
};

pub(super) struct Keeper<'a> {
    memory: &'a Memory,
    disk: &'a Disk,
    object: Object,
    gathered: Option<Gathered>,
}

/// Consecutive pieces of one block.
struct Gathered {
    leave: Leave,
    first: u64,
    pieces: Vec<Bytes>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(memory: &'a Memory, disk: &'a Disk, object: Object) -> Self {
        Self { memory, disk, object, gathered: None }
    }

    /// Pieces come in order.
    pub(super) fn add(&mut self, index: u64, bytes: Bytes) {
        let in_block = self.in_block();
        if self.gathered.is_none() {
            let Some(leave) = self.disk.leave() else { return };
            let block = index - index % in_block;
            let mut pieces = self.whole_pieces((block..index).rev());
            pieces.reverse();
            self.gathered = Some(Gathered { leave, first: index - pieces.len() as u64, pieces });
        }
        if let Some(gathered) = &mut self.gathered {
            gathered.pieces.push(bytes);
        }
        if (index + 1).is_multiple_of(in_block) {
            self.keep();
        }
    }

    fn keep(&mut self) {
        let Some(Gathered { leave, first, mut pieces }) = self.gathered.take() else { return };
        if pieces.last().is_some_and(|last| last.len() == PIECE) {
            let next = first + pieces.len() as u64;
            let end = (first + 1).next_multiple_of(self.in_block());
            pieces.extend(self.whole_pieces(next..end));
        }
        self.disk.keep(leave, &self.object, first * PIECE as u64, pieces);
    }

    /// Those that memory has, up to the first that it has not.
    fn whole_pieces(&self, indexes: impl Iterator<Item = u64>) -> Vec<Bytes> {
        let find = |index| self.memory.peek(&PieceKey { object: self.object.clone(), index });
        indexes.map_while(find).take_while(|piece| piece.len() == PIECE).collect()
    }

    fn in_block(&self) -> u64 {
        self.disk.block_bytes() / PIECE as u64
    }
}

impl Drop for Keeper<'_> {
    /// A fetch that ends in the middle of a block, also early, has brought something.
    fn drop(&mut self) {
        self.keep();
    }
}
