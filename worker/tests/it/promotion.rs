//! Two promotions of one source at once, as worker and gateway run them: neither may take the other's work for a loss.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use reelgate_common::{
    backends::Backends,
    db::Fenced,
    file::FileKind,
    grid::SegmentGrid,
    ids::{FileId, OrgId, ProcessId},
    key::Key,
    media_info::MediaInfo,
    promote::{PromoteError, Promoted, promote},
    storage::{ByteStream, MultipartId, ObjectMeta, PartTag, PendingMultipart, Storage, StorageError, Version},
};

use crate::{footing::Footing, runner::HANG};

/// The store as one promotion sees it while another one overtakes it, right after its `after`th look at an object.
struct Overtaken {
    backends: Backends,
    org: OrgId,
    file: FileId,
    after: usize,
    looks: AtomicUsize,
}

#[async_trait]
impl Storage for Overtaken {
    async fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError> {
        let found = self.backends.storage.head(key).await;
        if self.looks.fetch_add(1, Ordering::SeqCst) + 1 == self.after {
            let other = promote(&self.backends.db, &*self.backends.storage, &self.org, self.file).await;
            assert_eq!(other.unwrap(), Promoted::Done);
        }
        found
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<ObjectMeta, StorageError> {
        self.backends.storage.copy(from, to).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        self.backends.storage.delete(key).await
    }

    async fn get(&self, _: &Key, _: Range<u64>, _: Option<&Version>) -> Result<ByteStream, StorageError> {
        unreachable!("a promotion reads no bytes")
    }

    async fn put(&self, _: &Key, _: Bytes) -> Result<ObjectMeta, StorageError> {
        unreachable!("a promotion writes no bytes")
    }

    async fn create_multipart(&self, _: &Key, _: u64) -> Result<MultipartId, StorageError> {
        unreachable!("a promotion writes no bytes")
    }

    async fn put_part(&self, _: &Key, _: &MultipartId, _: u32, _: Vec<Bytes>) -> Result<PartTag, StorageError> {
        unreachable!("a promotion writes no bytes")
    }

    async fn complete_multipart(&self, _: &Key, _: &MultipartId, _: Vec<PartTag>) -> Result<ObjectMeta, StorageError> {
        unreachable!("a promotion writes no bytes")
    }

    async fn abort_multipart(&self, _: &Key, _: &MultipartId) -> Result<(), StorageError> {
        unreachable!("a promotion writes no bytes")
    }

    async fn list_multipart(&self, _: &str) -> Result<Vec<PendingMultipart>, StorageError> {
        unreachable!("a promotion lists nothing")
    }

    fn list(&self, _: &str) -> BoxStream<'static, Result<ObjectMeta, StorageError>> {
        unreachable!("a promotion lists nothing")
    }

    async fn ping(&self, _: Duration) -> Result<(), StorageError> {
        unreachable!("a promotion does not ask")
    }
}

async fn overtaken_after(footing: &Footing, file: FileId, after: usize) -> Result<Promoted, PromoteError> {
    let (backends, org) = (footing.backends.clone(), footing.org.clone());
    let store = Overtaken { backends, org, file, after, looks: AtomicUsize::new(0) };
    promote(&footing.backends.db, &store, &footing.org, file).await
}

#[tokio::test]
async fn a_promotion_that_is_overtaken_anywhere_finds_the_source_where_the_other_put_it() {
    let footing = Footing::new("exit 1").await;
    // It looks whether a copy is there, then at what it is about to copy.
    for after in 1..=2 {
        let file = footing.upload(b"film").await;
        assert_eq!(overtaken_after(&footing, file, after).await.unwrap(), Promoted::Already, "look {after}");
        let source = footing.file(file).await.file.source_key;
        assert_eq!(source, Key::Source { org: footing.org.clone(), file });
        assert_eq!(footing.backends.storage.head(&source).await.unwrap().size, 4);
    }
}

#[tokio::test]
async fn a_source_that_is_really_gone_is_an_error() {
    let footing = Footing::new("exit 1").await;
    let file = footing.upload(b"film").await;
    let staging = footing.file(file).await.file.source_key;
    footing.backends.storage.delete(&staging).await.unwrap();
    let outcome = promote(&footing.backends.db, &*footing.backends.storage, &footing.org, file).await;
    assert!(matches!(outcome, Err(PromoteError::Storage(StorageError::NotFound { .. }))), "{outcome:?}");
    assert_eq!(footing.file(file).await.file.source_key, staging);
}

/// Gateways promote what was probed, so a later attempt must not read what they take away.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_promotes_before_it_reads() {
    let footing = Footing::new(HANG).await;
    let (file, db) = (footing.upload(b"film").await, &footing.backends.db);
    let (job, process) = (footing.job(file).await.id, ProcessId::new("first"));
    let first = db.begin_attempt(job, &process, &footing.config.jobs).await.unwrap().unwrap().fence;
    let (media, grid) = (MediaInfo::default(), SegmentGrid::Regular { period_ms: 2_000 });
    let probed = db.record_probe(&first, FileKind::Video, "video/mp4", &media, &grid, &serde_json::json!({})).await;
    assert_eq!(probed.unwrap(), Fenced::Written);
    assert_eq!(db.interrupt_attempt(&first).await.unwrap(), Fenced::Written);

    let worker = footing.start();
    footing.started_task().await;
    assert_eq!(footing.file(file).await.file.source_key, Key::Source { org: footing.org.clone(), file });
    worker.stop().await;
}

/// What becomes of an upload in whose place something is put before anybody has looked at it.
async fn replaced_by(content: &'static [u8]) -> String {
    let mut footing = Footing::new("exit 3").await;
    footing.config.jobs.max_failures = 1;
    let file = footing.upload(b"what was sent").await;
    let key = footing.file(file).await.file.source_key;
    footing.backends.storage.put(&key, Bytes::from_static(content)).await.unwrap();
    let worker = footing.start();
    let failure = footing.settled(file).await.file.failure.unwrap();
    worker.stop().await;
    failure.code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_replaced_by_one_of_the_same_size_is_refused_and_one_that_was_brought_back_is_not() {
    assert_eq!(replaced_by(b"what was sen!").await, "source_changed");
    assert_ne!(replaced_by(b"what was sent").await, "source_changed", "as after a backup was brought back");
}
