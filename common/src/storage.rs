//! The object store as the product needs it. A small trait with two backends; errors by meaning, never by HTTP status.
//!
//! Names are `Key`s, so no caller can make one from user text. Bodies are streams of `Bytes` that nobody copies.
//! Deliberately absent: conditional PUT (not portable: some S3 servers ignore it; `refuses_overwrite` only asks), rename, and object attributes
//! (content types live in the database).

pub mod config;
pub mod file;
pub mod measured;
pub mod s3;
pub mod trial;

use std::{ops::Range, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{key::Key, timestamp::Timestamp};

pub type SharedStorage = Arc<dyn Storage>;
/// Chunks of an object. Dropping it ends the read at the store.
pub type ByteStream = BoxStream<'static, Result<Bytes, StorageError>>;

#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("object {key} does not exist")]
    NotFound { key: String },
    /// The object is no longer the version that was asked for.
    #[error("object {key} has changed")]
    Changed { key: String },
    #[error("the store has no room left for {key}")]
    Full { key: String },
    #[error("the store refused access to {key}")]
    Denied { key: String },
    #[error("the store did not answer in time while working on {key}")]
    Timeout { key: String },
    #[error("the store failed while working on {key}")]
    Failed {
        key: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a store tells about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    pub key: Key,
    pub size: u64,
    pub version: Version,
    pub modified: Timestamp,
}

/// Changes whenever an object's bytes change: the ETag of S3; inode, size and time of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub String);

/// A multipart upload in progress. Plain text, so that a row can keep it and any process can go on or abort it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartId(pub String);

/// Proof of a stored part, to be given to `complete_multipart` in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartTag(pub String);

#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// # Errors
    /// `NotFound`, or the store is away.
    async fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError>;

    /// The bytes of `range` (not empty, within the object: callers resolve ranges against the known size first).
    /// With `version`, an object that has changed since is `Changed`, never a mix of two versions.
    /// No limit on total time (viewers are slow); a read that makes no progress for the idle timeout is `Timeout`.
    ///
    /// # Errors
    /// `NotFound`, `Changed`, or the store is away; also inside the stream.
    async fn get(&self, key: &Key, range: Range<u64>, version: Option<&Version>) -> Result<ByteStream, StorageError>;

    /// Stores a small object whole, durable when it returns (the directory backend syncs file and folder).
    ///
    /// # Errors
    /// `Full`, `Denied`, or the store is away.
    async fn put(&self, key: &Key, body: Bytes) -> Result<ObjectMeta, StorageError>;

    /// Begins a multipart upload whose parts all have `part_size` bytes, but the last, which may be shorter.
    ///
    /// # Errors
    /// `Full`, `Denied`, or the store is away.
    async fn create_multipart(&self, key: &Key, part_size: u64) -> Result<MultipartId, StorageError>;

    /// Stores part `number` (from 0), given as chunks whose order is the bytes' order. May be repeated.
    ///
    /// # Errors
    /// `Full`, `NotFound` (aborted meanwhile), or the store is away.
    async fn put_part(
        &self,
        key: &Key,
        upload: &MultipartId,
        number: u32,
        chunks: Vec<Bytes>,
    ) -> Result<PartTag, StorageError>;

    /// Makes the object of its parts, durable when it returns. A reply lost on the way is resolved by looking.
    ///
    /// # Errors
    /// `NotFound` (aborted meanwhile), or the store is away.
    async fn complete_multipart(
        &self,
        key: &Key,
        upload: &MultipartId,
        parts: Vec<PartTag>,
    ) -> Result<ObjectMeta, StorageError>;

    /// Drops a multipart upload and its parts; one that is gone already is no error.
    ///
    /// # Errors
    /// The store is away.
    async fn abort_multipart(&self, key: &Key, upload: &MultipartId) -> Result<(), StorageError>;

    /// Multipart uploads begun and neither completed nor aborted, also those no row knows of.
    ///
    /// # Errors
    /// The store is away.
    async fn list_multipart(&self, prefix: &str) -> Result<Vec<PendingMultipart>, StorageError>;

    /// Copies an object of any size inside the store (by parts above 5 GiB). Idempotent.
    ///
    /// # Errors
    /// `NotFound`, `Full`, or the store is away.
    async fn copy(&self, from: &Key, to: &Key) -> Result<ObjectMeta, StorageError>;

    /// Deletes an object; one that is gone already is no error.
    ///
    /// # Errors
    /// `Denied`, or the store is away.
    async fn delete(&self, key: &Key) -> Result<(), StorageError>;

    /// Objects whose name begins with `prefix` (as made by `Key`), in any order. Foreign names are left out.
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta, StorageError>>;

    /// What a store that keeps versions still holds of objects that were deleted or replaced, marks of deletions included: to be
    /// deleted in this order, else a mark goes before what it hides. About `limit` at most; none where nothing is kept.
    ///
    /// # Errors
    /// The store is away.
    async fn list_old_versions(&self, _prefix: &str, _limit: usize) -> Result<Vec<OldVersion>, StorageError> {
        Ok(Vec::new())
    }

    /// Deletes one old version for good; one that is gone already is no error.
    ///
    /// # Errors
    /// `Denied`, or the store is away.
    async fn delete_version(&self, key: &Key, _version: &VersionId) -> Result<(), StorageError> {
        Err(StorageError::NotFound { key: key.to_string() })
    }

    /// Asks the store for anything at all, within `timeout`; for readiness and `reelgate check`.
    ///
    /// # Errors
    /// The store is away, or refuses us.
    async fn ping(&self, timeout: Duration) -> Result<(), StorageError>;

    /// Whether a store that is asked not to replace an object leaves it as it is: `Some(false)` where it replaces it all the same, `None`
    /// where it cannot be asked. The object must exist, and may be replaced by nothing. Nothing rests on it; for `reelgate check`.
    ///
    /// # Errors
    /// The store is away.
    async fn refuses_overwrite(&self, _key: &Key) -> Result<Option<bool>, StorageError> {
        Ok(None)
    }

    /// What it is, for those who look for what is away.
    fn service(&self) -> &'static str {
        "storage"
    }

    /// Where the object lies as a plain file that is never written in place, if it does: a reader may then open it instead
    /// of copying it. The path says nothing about whether the object exists.
    fn local_path(&self, _key: &Key) -> Option<PathBuf> {
        None
    }

    /// The largest number of parts of one multipart upload.
    fn max_parts(&self) -> u32 {
        10_000
    }
}

/// A store's own name of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionId(pub String);

/// A version that is not the current one, or the mark of a deletion (of size 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldVersion {
    pub key: Key,
    pub id: VersionId,
    pub size: u64,
    /// When something newer took its place; of a mark, when the object was deleted.
    pub replaced: Timestamp,
}

/// An unfinished multipart upload, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMultipart {
    pub key: Key,
    pub upload: MultipartId,
    pub started: Timestamp,
}
