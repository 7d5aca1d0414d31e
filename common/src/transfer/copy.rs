//! One object from one store to another: read once at one version, hashed on the way, written in parts, never made visible unless it is
//! what was wanted. What lies there in the same size is left, for an object is there whole or not at all.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::{TransferError, Wanted};
use crate::{
    hex::hex,
    key::Key,
    storage::{ByteStream, MultipartId, ObjectMeta, PartTag, SharedStorage, StorageError},
};

/// As large as one request may be without being noticed, and the memory that one object under way takes twice.
const MIN_PART: u64 = 16 << 20;
const PART_STEP: u64 = 1 << 20;
/// An object is tried again so often when a store fails; the waits double.
const TRIES: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// What became of an object. Sizes in bytes, digests in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Copied {
    Now {
        size: u64,
        sha256: String,
    },
    There {
        size: u64,
    },
    /// The store it comes from has it not, or not whole.
    Missing,
}

/// Copies an object unless it is there. An object in staging that is there is read again, for the row will vouch for it.
///
/// # Errors
/// `Damaged`, or a store stays away.
pub(super) async fn copy_object(
    from: &SharedStorage,
    to: &SharedStorage,
    wanted: &Wanted,
) -> Result<Copied, TransferError> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match once(from, to, wanted).await {
            Err(TransferError::Storage(error)) if passes(&error) => {
                tracing::warn!(%error, key = %wanted.key, "a copy failed and is tried again");
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            done => return done,
        }
    }
    once(from, to, wanted).await
}

fn passes(error: &StorageError) -> bool {
    matches!(error, StorageError::Timeout { .. } | StorageError::Failed { .. })
}

async fn once(from: &SharedStorage, to: &SharedStorage, wanted: &Wanted) -> Result<Copied, TransferError> {
    let Some(source) = find(from, &wanted.key).await? else { return Ok(Copied::Missing) };
    if wanted.size.is_some_and(|size| size != source.size) {
        return Ok(Copied::Missing);
    }
    if let Some(there) = find(to, &wanted.key).await?
        && there.size == source.size
        && is_trusted(to, wanted, &there).await?
    {
        return Ok(Copied::There { size: there.size });
    }
    let sha256 = Copy { from, to, wanted, source: &source }.run().await?;
    Ok(Copied::Now { size: source.size, sha256 })
}

async fn find(storage: &SharedStorage, key: &Key) -> Result<Option<ObjectMeta>, StorageError> {
    match storage.head(key).await {
        Err(StorageError::NotFound { .. }) => Ok(None),
        found => found.map(Some),
    }
}

async fn is_trusted(storage: &SharedStorage, wanted: &Wanted, there: &ObjectMeta) -> Result<bool, StorageError> {
    match (&wanted.key, &wanted.sha256) {
        (Key::Staging { .. }, Some(sha256)) => Ok(digest(storage, there).await? == *sha256),
        _ => Ok(true),
    }
}

/// SHA-256 in hex of an object as it was found.
pub(super) async fn digest(storage: &SharedStorage, of: &ObjectMeta) -> Result<String, StorageError> {
    let mut hash = Sha256::new();
    let mut chunks = read(storage, of).await?;
    while let Some(chunk) = chunks.try_next().await? {
        hash.update(&chunk);
    }
    Ok(hex(&hash.finalize()))
}

async fn read(storage: &SharedStorage, of: &ObjectMeta) -> Result<ByteStream, StorageError> {
    if of.size == 0 {
        return Ok(Box::pin(futures_util::stream::empty()));
    }
    storage.get(&of.key, 0..of.size, Some(&of.version)).await
}

struct Copy<'a> {
    from: &'a SharedStorage,
    to: &'a SharedStorage,
    wanted: &'a Wanted,
    source: &'a ObjectMeta,
}

/// The bytes as parts, and the digest of those that went by.
struct Parts {
    chunks: ByteStream,
    hash: Sha256,
    left: Bytes,
}

impl Parts {
    /// Exactly so many bytes, fewer at the end.
    async fn next(&mut self, bytes: usize) -> Result<Vec<Bytes>, StorageError> {
        let (mut part, mut missing) = (Vec::new(), bytes);
        while missing > 0 {
            if self.left.is_empty() {
                let Some(chunk) = self.chunks.try_next().await? else { break };
                self.hash.update(&chunk);
                self.left = chunk;
            }
            let piece = self.left.split_to(missing.min(self.left.len()));
            missing -= piece.len();
            part.push(piece);
        }
        Ok(part)
    }
}

impl Copy<'_> {
    async fn run(&self) -> Result<String, TransferError> {
        let (key, size) = (&self.wanted.key, self.source.size);
        let part = part_size(size, self.to.max_parts());
        let mut parts = Parts { chunks: read(self.from, self.source).await?, hash: Sha256::new(), left: Bytes::new() };
        if size <= part {
            let body = joined(&parts.next(to_usize(size)).await?);
            let sha256 = self.checked(parts.hash)?;
            expect_size(&self.to.put(key, body).await?, size)?;
            return Ok(sha256);
        }
        let upload = self.to.create_multipart(key, part).await?;
        let written = self.write(&upload, part, parts).await;
        if written.is_err() {
            // The error of the copy says more; what stays is aborted when the move goes on.
            drop(self.to.abort_multipart(key, &upload).await);
        }
        written
    }

    async fn write(&self, upload: &MultipartId, part: u64, mut parts: Parts) -> Result<String, TransferError> {
        let key = &self.wanted.key;
        let mut tags: Vec<PartTag> = Vec::new();
        loop {
            let chunks = parts.next(to_usize(part)).await?;
            if chunks.is_empty() {
                break;
            }
            let number = u32::try_from(tags.len()).unwrap_or(u32::MAX);
            tags.push(self.to.put_part(key, upload, number, chunks).await?);
        }
        let sha256 = self.checked(parts.hash)?;
        expect_size(&self.to.complete_multipart(key, upload, tags).await?, self.source.size)?;
        Ok(sha256)
    }

    fn checked(&self, hash: Sha256) -> Result<String, TransferError> {
        let sha256 = hex(&hash.finalize());
        match &self.wanted.sha256 {
            Some(expected) if *expected != sha256 => Err(TransferError::Damaged { key: self.wanted.key.to_string() }),
            _ => Ok(sha256),
        }
    }
}

fn joined(chunks: &[Bytes]) -> Bytes {
    if let [one] = chunks {
        return one.clone();
    }
    let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
    all.freeze()
}

fn expect_size(stored: &ObjectMeta, size: u64) -> Result<(), StorageError> {
    if stored.size == size {
        return Ok(());
    }
    let source = format!("{} bytes lie there, {size} were sent", stored.size).into();
    Err(StorageError::Failed { key: stored.key.to_string(), source })
}

/// Equal parts in whole MiB, a tenth fewer than the store allows.
fn part_size(size: u64, max_parts: u32) -> u64 {
    let parts = u64::from(max_parts) * 9 / 10;
    size.div_ceil(parts.max(1)).next_multiple_of(PART_STEP).max(MIN_PART)
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a part fits into memory")
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::*;
    use crate::{
        ids::{FileId, OrgId},
        storage::file::DirectoryStorage,
    };

    fn store(folder: &Path) -> SharedStorage {
        Arc::new(DirectoryStorage::open(folder).unwrap())
    }

    fn staging() -> Key {
        Key::Staging { org: OrgId::new("acme"), file: FileId::new() }
    }

    #[test]
    fn parts_are_few_enough_for_the_largest_object() {
        assert_eq!(part_size(1, 10_000), MIN_PART);
        let size = 5 << 40;
        assert!(size / part_size(size, 10_000) < 10_000);
    }

    #[tokio::test]
    async fn an_object_of_any_size_arrives_whole_and_is_not_copied_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (store(&folder.path().join("a")), store(&folder.path().join("b")));
        for size in [0, 1, to_usize(MIN_PART), to_usize(MIN_PART) * 2 + 5] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let wanted = Wanted { sha256: Some(hex(&Sha256::digest(&bytes))), ..Wanted::of(staging()) };
            from.put(&wanted.key, bytes.clone().into()).await.unwrap();
            let first = copy_object(&from, &to, &wanted).await.unwrap();
            assert!(matches!(first, Copied::Now { size: copied, .. } if copied == size as u64), "{first:?}");
            let there = to.head(&wanted.key).await.unwrap();
            assert_eq!(digest(&to, &there).await.unwrap(), hex(&Sha256::digest(&bytes)));
            assert_eq!(copy_object(&from, &to, &wanted).await.unwrap(), Copied::There { size: size as u64 });
        }
    }

    #[tokio::test]
    async fn what_is_not_what_the_row_says_never_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (store(&folder.path().join("a")), store(&folder.path().join("b")));
        for size in [3, to_usize(MIN_PART) + 1] {
            let wanted = Wanted { sha256: Some("0".repeat(64)), ..Wanted::of(staging()) };
            from.put(&wanted.key, vec![7; size].into()).await.unwrap();
            let copied = copy_object(&from, &to, &wanted).await;
            assert!(matches!(copied, Err(TransferError::Damaged { .. })), "{copied:?}");
            assert!(matches!(to.head(&wanted.key).await, Err(StorageError::NotFound { .. })));
        }
        assert!(to.list_multipart("").await.unwrap().is_empty());
        let short = Wanted { size: Some(9), ..Wanted::of(staging()) };
        from.put(&short.key, Bytes::from_static(b"12345678")).await.unwrap();
        assert_eq!(copy_object(&from, &to, &short).await.unwrap(), Copied::Missing);
        assert_eq!(copy_object(&from, &to, &Wanted::of(staging())).await.unwrap(), Copied::Missing);
    }

    #[tokio::test]
    async fn a_staging_object_of_other_bytes_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (store(&folder.path().join("a")), store(&folder.path().join("b")));
        let wanted = Wanted { sha256: Some(hex(&Sha256::digest(b"right"))), ..Wanted::of(staging()) };
        from.put(&wanted.key, Bytes::from_static(b"right")).await.unwrap();
        to.put(&wanted.key, Bytes::from_static(b"wrong")).await.unwrap();
        assert!(matches!(copy_object(&from, &to, &wanted).await.unwrap(), Copied::Now { .. }));
    }
}
