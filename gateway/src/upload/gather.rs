//! Gathers the bytes of one part in memory, charged to the budget as they come.
//!
//! Bytes are copied once, into blocks of our own: a slice of hyper's read buffer pins the whole buffer, so that a client
//! sending byte by byte would hold thousands of times what it is charged for. The copy is of bytes that the digest has
//! just read, so it comes from the cache. Blocks start small and double, so an upload that has sent little holds little.

use bytes::{Buf, Bytes, BytesMut};

use super::{
    blocks::{BLOCK_BYTES, Block, Blocks},
    budget::{Account, Budget, Charge, Evicted},
};

const FIRST_BLOCK: usize = 4 * 1024;

pub(crate) struct Gather {
    account: Account,
    part_bytes: usize,
    pool: Blocks,
    blocks: Vec<Bytes>,
    block: Option<Block>,
    /// Room left in `block`.
    room: usize,
    held: usize,
}

/// The content of a part, and what it is charged.
pub(crate) struct Gathered {
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) charge: Charge,
    pub(crate) length: usize,
}

impl Gather {
    pub(crate) fn new(budget: &Budget, pool: &Blocks, part_bytes: usize) -> Self {
        let account = budget.open();
        let pool = pool.clone();
        Self { account, part_bytes, pool, blocks: Vec::new(), block: None, room: 0, held: 0 }
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn is_full(&self) -> bool {
        self.held == self.part_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes bytes off `data` until it is empty or the block is full; false when the part is full.
    pub(crate) async fn take_from(&mut self, data: &mut Bytes) -> Result<bool, Evicted> {
        if self.is_full() {
            return Ok(false);
        }
        if self.room == 0 {
            self.next_block().await?;
        }
        let length = data.len().min(self.room);
        if let Some(block) = &mut self.block {
            block.push(&data[..length]);
        }
        data.advance(length);
        self.room -= length;
        self.held += length;
        Ok(true)
    }

    /// Hands over what was gathered and begins the next part.
    pub(crate) fn finish_part(&mut self) -> Gathered {
        let mut chunks = std::mem::take(&mut self.blocks);
        chunks.extend(self.block.take().map(Bytes::from_owner));
        let length = std::mem::take(&mut self.held);
        self.room = 0;
        Gathered { chunks, charge: self.account.take(), length }
    }

    async fn next_block(&mut self) -> Result<(), Evicted> {
        let lacking = self.part_bytes - self.held;
        let size = self.held.clamp(FIRST_BLOCK, BLOCK_BYTES).min(lacking);
        self.account.charge(size, lacking).await?;
        let full = self.block.replace(self.pool.get(size));
        self.blocks.extend(full.map(Bytes::from_owner));
        self.room = size;
        Ok(())
    }
}

impl Gathered {
    /// The content in one piece. Blocks are let go as they are copied.
    pub(crate) fn into_whole(self) -> (Bytes, Charge) {
        let mut whole = BytesMut::with_capacity(self.length);
        for chunk in self.chunks {
            whole.extend_from_slice(&chunk);
        }
        (whole.freeze(), self.charge)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn budget() -> Budget {
        Budget::new(1 << 20, 300_000, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn parts_are_equal_and_hold_the_bytes_in_order() {
        let content: Vec<u8> = (0..700_000u32).map(|n| n as u8).collect();
        let budget = budget();
        let mut gather = Gather::new(&budget, &Blocks::default(), 300_000);
        let (mut parts, mut all) = (Vec::new(), Vec::new());
        for piece in content.chunks(9_999) {
            let mut data = Bytes::copy_from_slice(piece);
            while !data.is_empty() {
                if !gather.take_from(&mut data).await.unwrap() {
                    parts.push(gather.finish_part().into_whole().0);
                }
            }
        }
        parts.push(gather.finish_part().into_whole().0);
        assert_eq!(parts.iter().map(Bytes::len).collect::<Vec<_>>(), [300_000, 300_000, 100_000]);
        parts.iter().for_each(|part| all.extend_from_slice(part));
        assert!(all == content);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn an_upload_that_sent_one_byte_costs_one_small_block() {
        let budget = budget();
        let mut gather = Gather::new(&budget, &Blocks::default(), 300_000);
        gather.take_from(&mut Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(budget.used(), FIRST_BLOCK);
        drop(gather);
        assert_eq!(budget.used(), 0);
    }
}
