//! Storing an output: in parts of equal size, hashed on the way, noted as litter until it is published.

use std::{fs::File, io::Read};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use reelgate_common::{crash, hex::hex, key::Key, storage::PartTag};
use sha2::{Digest, Sha256};

use super::Work;
use crate::halt::Halt;

const MIN_PART: u64 = 8 << 20;
/// How a part is cut in memory.
const CHUNK: u64 = 1 << 20;

/// Stores a whole file under `key`; gives its SHA-256 in hex.
///
/// # Errors
/// The file cannot be read, or the store stays away.
pub(super) async fn store_file(work: &Work, key: &Key, file: File, size: u64) -> Result<String, Halt> {
    crash::point("encoded");
    let part_size = part_size(size, work.backends.storage.max_parts());
    let mut hash = Sha256::new();
    if size <= part_size {
        let (bytes, _, hash) = reading(file, hash, size).await?;
        let body: Bytes = bytes.concat().into();
        put(work, key, &body).await?;
        return Ok(hex(&hash.finalize()));
    }
    let storage = &work.backends.storage;
    let upload = work.patience.keep_trying("storing an output", || storage.create_multipart(key, part_size)).await?;
    work.litter.multipart(key, &upload);
    let mut tags: Vec<PartTag> = Vec::new();
    let mut left = size;
    let mut next = reading(file, hash.clone(), part_size.min(left));
    while left > 0 {
        let length = left.min(part_size);
        let (chunks, file);
        (chunks, file, hash) = next.await?;
        left -= length;
        // Read and hashed while this one is stored.
        next = reading(file, hash.clone(), part_size.min(left));
        let number = u32::try_from(tags.len()).unwrap_or(u32::MAX);
        let stored =
            work.patience.keep_trying("storing an output", || storage.put_part(key, &upload, number, chunks.clone()));
        tags.push(stored.await?);
    }
    let done =
        work.patience.keep_trying("storing an output", || storage.complete_multipart(key, &upload, tags.clone()));
    expect_size(done.await?.size, size)?;
    Ok(hex(&hash.finalize()))
}

/// Stores a small object.
///
/// # Errors
/// The store stays away.
pub(super) async fn put(work: &Work, key: &Key, body: &Bytes) -> Result<(), Halt> {
    work.litter.object(key);
    let storage = &work.backends.storage;
    let meta = work.patience.keep_trying("storing an output", || storage.put(key, body.clone())).await?;
    crash::point("stored");
    expect_size(meta.size, body.len() as u64)
}

fn expect_size(found: u64, expected: u64) -> Result<(), Halt> {
    if found == expected {
        return Ok(());
    }
    Err(Halt::failed("output_damaged", "An output changed while it was being stored; it is tried again.", true))
}

/// Equal parts, few enough for the store, in whole MiB.
fn part_size(size: u64, max_parts: u32) -> u64 {
    // A tenth less than allowed, as everywhere.
    let parts = u64::from(max_parts) * 9 / 10;
    size.div_ceil(parts.max(1)).next_multiple_of(CHUNK).max(MIN_PART)
}

/// A part under way, off the threads that serve others: what was read, where the next begins, the hash until there.
type Reading = BoxFuture<'static, Result<(Vec<Bytes>, File, Sha256), Halt>>;

/// Begins at once, also before it is waited for.
fn reading(mut file: File, mut hash: Sha256, length: u64) -> Reading {
    let read = tokio::task::spawn_blocking(move || {
        let mut chunks = Vec::new();
        let mut left = length;
        while left > 0 {
            let mut chunk = vec![0; usize::try_from(left.min(CHUNK)).unwrap_or(0)];
            file.read_exact(&mut chunk)?;
            hash.update(&chunk);
            left -= chunk.len() as u64;
            chunks.push(Bytes::from(chunk));
        }
        Ok((chunks, file, hash))
    });
    let read = read.map(|read| match read {
        Ok(outcome) => outcome.map_err(|error: std::io::Error| Halt::disk(&error)),
        Err(_) => Err(Halt::failed("scratch_failed", "An output could not be read; it is tried again.", true)),
    });
    read.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_and_few_enough() {
        assert_eq!(part_size(1, 10_000), MIN_PART);
        let size = 5 << 40;
        let part = part_size(size, 10_000);
        assert!(size.div_ceil(part) <= 9_000);
        assert_eq!(part % CHUNK, 0);
    }
}
