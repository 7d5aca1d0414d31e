//! Conformance of the storage seam: one suite, run on a directory and on a real Garage. `faults` is what only a network
//! can do to a store; `directory` is what only a file system shows.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod directory;
mod faults;
mod proxy;
mod suite;
mod versions;

use anyhow::Result;
use bytes::Bytes;
use futures_util::TryStreamExt;
use reelgate_common::{
    backends::open_storage,
    ids::{FileId, OrgId},
    key::Key,
    storage::{ByteStream, SharedStorage, Storage, config::StorageConfig, s3::S3Storage},
};
use reelgate_e2e::services::{Bucket, Garage};
use tempfile::TempDir;

/// S3's smallest part but the last.
const PART: usize = 5 << 20;

/// A store nobody else uses, and the folder behind it.
fn directory() -> Result<(SharedStorage, TempDir)> {
    let folder = tempfile::tempdir()?;
    let url = format!("file:{}", folder.path().display());
    Ok((open_storage(&StorageConfig { url, ..StorageConfig::default() })?, folder))
}

async fn garage() -> Result<S3Storage> {
    through(&Garage::shared().await?.fresh_prefix(), |_| ())
}

/// The same prefix by another way (`adjust` changes the endpoint or the timeouts).
fn through(bucket: &Bucket, adjust: impl FnOnce(&mut StorageConfig)) -> Result<S3Storage> {
    let mut config = StorageConfig {
        url: bucket.url.clone(),
        endpoint: Some(bucket.endpoint.clone()),
        region: Some(bucket.region.to_owned()),
        ..StorageConfig::default()
    };
    adjust(&mut config);
    Ok(S3Storage::open(&config, bucket.environment())?)
}

fn staging() -> Key {
    Key::Staging { org: OrgId::new("acme"), file: FileId::new() }
}

/// Bytes in which a shift or a repetition shows: no two windows are alike.
fn body(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let words = (0..size.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(size).collect::<Vec<u8>>().into()
}

async fn collect(stream: ByteStream) -> Result<Bytes> {
    let all: Vec<Bytes> = stream.try_collect().await?;
    Ok(all.concat().into())
}

async fn whole(storage: &dyn Storage, key: &Key) -> Result<Bytes> {
    let meta = storage.head(key).await?;
    collect(storage.get(key, 0..meta.size, Some(&meta.version)).await?).await
}
