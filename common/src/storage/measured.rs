//! A store whose calls are counted and timed. Of a read only its beginning: how fast its bytes come is the client's pace.

use std::{ops::Range, path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::time::Instant;

use super::{
    ByteStream, MultipartId, ObjectMeta, OldVersion, PartTag, PendingMultipart, SharedStorage, Storage, StorageError,
    Version, VersionId,
};
use crate::{
    key::Key,
    metric::{STORAGE_REQUEST_DURATION, STORAGE_REQUESTS},
};

pub struct Measured(pub SharedStorage);

/// Counts how `call` ends.
async fn measured<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, StorageError>> + Send,
) -> Result<T, StorageError> {
    let begun = Instant::now();
    let answer = call.await;
    STORAGE_REQUEST_DURATION.histogram_of([("operation", operation)]).record(begun.elapsed().as_secs_f64());
    let outcome = answer.as_ref().err().map_or("ok", outcome);
    STORAGE_REQUESTS.counter_of([("operation", operation), ("outcome", outcome)]).increment(1);
    answer
}

fn outcome(error: &StorageError) -> &'static str {
    match error {
        StorageError::NotFound { .. } => "not_found",
        StorageError::Changed { .. } => "changed",
        StorageError::Full { .. } => "full",
        StorageError::Denied { .. } => "denied",
        StorageError::Timeout { .. } => "timeout",
        StorageError::Failed { .. } => "failed",
    }
}

#[async_trait]
impl Storage for Measured {
    async fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError> {
        measured("head", self.0.head(key)).await
    }

    async fn get(&self, key: &Key, range: Range<u64>, version: Option<&Version>) -> Result<ByteStream, StorageError> {
        measured("get", self.0.get(key, range, version)).await
    }

    async fn put(&self, key: &Key, body: Bytes) -> Result<ObjectMeta, StorageError> {
        measured("put", self.0.put(key, body)).await
    }

    async fn create_multipart(&self, key: &Key, part_size: u64) -> Result<MultipartId, StorageError> {
        measured("create_multipart", self.0.create_multipart(key, part_size)).await
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &MultipartId,
        number: u32,
        chunks: Vec<Bytes>,
    ) -> Result<PartTag, StorageError> {
        measured("put_part", self.0.put_part(key, upload, number, chunks)).await
    }

    async fn complete_multipart(
        &self,
        key: &Key,
        upload: &MultipartId,
        parts: Vec<PartTag>,
    ) -> Result<ObjectMeta, StorageError> {
        measured("complete_multipart", self.0.complete_multipart(key, upload, parts)).await
    }

    async fn abort_multipart(&self, key: &Key, upload: &MultipartId) -> Result<(), StorageError> {
        measured("abort_multipart", self.0.abort_multipart(key, upload)).await
    }

    async fn list_multipart(&self, prefix: &str) -> Result<Vec<PendingMultipart>, StorageError> {
        measured("list_multipart", self.0.list_multipart(prefix)).await
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<ObjectMeta, StorageError> {
        measured("copy", self.0.copy(from, to)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        measured("delete", self.0.delete(key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta, StorageError>> {
        self.0.list(prefix)
    }

    async fn list_old_versions(&self, prefix: &str, limit: usize) -> Result<Vec<OldVersion>, StorageError> {
        measured("list_old_versions", self.0.list_old_versions(prefix, limit)).await
    }

    async fn delete_version(&self, key: &Key, version: &VersionId) -> Result<(), StorageError> {
        measured("delete_version", self.0.delete_version(key, version)).await
    }

    async fn ping(&self, timeout: Duration) -> Result<(), StorageError> {
        measured("ping", self.0.ping(timeout)).await
    }

    async fn refuses_overwrite(&self, key: &Key) -> Result<Option<bool>, StorageError> {
        self.0.refuses_overwrite(key).await
    }

    fn service(&self) -> &'static str {
        self.0.service()
    }

    fn local_path(&self, key: &Key) -> Option<PathBuf> {
        self.0.local_path(key)
    }

    fn max_parts(&self) -> u32 {
        self.0.max_parts()
    }
}
