//! Real backends of the embedded footing in a temporary folder, with faults to switch on.

use std::{
    collections::BTreeSet,
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use reelgate_common::{
    auth::Caller,
    backends::Backends,
    config::Secret,
    db::{Db, config::DatabaseConfig},
    event::{LocalSignals, SharedSignals},
    ids::{JobId, OrgId, ProcessId, UserId},
    key::Key,
    lane::Lanes,
    queue::{Beat, Claim, Depth, Entry, Queue, QueueError, Settled},
    storage::{
        ByteStream, MultipartId, ObjectMeta, PartTag, PendingMultipart, Storage, StorageError, Version,
        file::DirectoryStorage,
    },
    timestamp::Timestamp,
};

pub(crate) struct Fixture {
    pub(crate) backends: Backends,
    pub(crate) storage: Arc<FaultyStorage>,
    pub(crate) queue: Arc<FakeQueue>,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = Secret::new(format!("sqlite:{}", folder.path().join("test.db").display()));
        let db = Db::connect(&DatabaseConfig { url, ..DatabaseConfig::default() }).await.unwrap();
        reelgate_migrations::up(db.connection()).await.unwrap();
        let inner = DirectoryStorage::open(&folder.path().join("objects")).unwrap();
        let storage =
            Arc::new(FaultyStorage { inner, fail_part: AtomicU32::new(NEVER), lose_replies: AtomicBool::default() });
        let queue = Arc::new(FakeQueue::default());
        let backends = Backends { db, storage: storage.clone(), queue: queue.clone() };
        backends.check_deployment().await.unwrap();
        Self { backends, storage, queue, folder }
    }

    pub(crate) fn caller() -> Caller {
        Caller { user: UserId::new("alice"), org: OrgId::new("acme"), admin: false, operator: false }
    }

    /// Files in the store, drafts included, the deployment mark not.
    pub(crate) fn objects(&self) -> usize {
        files_below(&self.folder.path().join("objects")) - 1
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

const NEVER: u32 = u32::MAX;

/// A directory whose parts fail from a number on, or whose answers get lost.
pub(crate) struct FaultyStorage {
    inner: DirectoryStorage,
    fail_part: AtomicU32,
    lose_replies: AtomicBool,
}

impl FaultyStorage {
    pub(crate) fn fail_from_part(&self, number: u32) {
        self.fail_part.store(number, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.fail_from_part(NEVER);
    }

    /// What makes an object does so, and says that it failed.
    pub(crate) fn lose_replies(&self) {
        self.lose_replies.store(true, Ordering::SeqCst);
    }

    fn reply<T>(&self, key: &Key, reply: T) -> Result<T, StorageError> {
        if self.lose_replies.load(Ordering::SeqCst) { Err(timeout(key)) } else { Ok(reply) }
    }
}

fn timeout(key: &Key) -> StorageError {
    StorageError::Timeout { key: key.to_string() }
}

#[async_trait]
impl Storage for FaultyStorage {
    async fn head(&self, key: &Key) -> Result<ObjectMeta, StorageError> {
        self.inner.head(key).await
    }

    async fn get(&self, key: &Key, range: Range<u64>, version: Option<&Version>) -> Result<ByteStream, StorageError> {
        self.inner.get(key, range, version).await
    }

    async fn put(&self, key: &Key, body: Bytes) -> Result<ObjectMeta, StorageError> {
        let meta = self.inner.put(key, body).await?;
        self.reply(key, meta)
    }

    async fn create_multipart(&self, key: &Key, part_size: u64) -> Result<MultipartId, StorageError> {
        self.inner.create_multipart(key, part_size).await
    }

    async fn put_part(
        &self,
        key: &Key,
        upload: &MultipartId,
        number: u32,
        chunks: Vec<Bytes>,
    ) -> Result<PartTag, StorageError> {
        if number >= self.fail_part.load(Ordering::SeqCst) {
            return Err(timeout(key));
        }
        self.inner.put_part(key, upload, number, chunks).await
    }

    async fn complete_multipart(
        &self,
        key: &Key,
        upload: &MultipartId,
        parts: Vec<PartTag>,
    ) -> Result<ObjectMeta, StorageError> {
        let meta = self.inner.complete_multipart(key, upload, parts).await?;
        self.reply(key, meta)
    }

    async fn abort_multipart(&self, key: &Key, upload: &MultipartId) -> Result<(), StorageError> {
        self.inner.abort_multipart(key, upload).await
    }

    async fn list_multipart(&self, prefix: &str) -> Result<Vec<PendingMultipart>, StorageError> {
        self.inner.list_multipart(prefix).await
    }

    async fn copy(&self, from: &Key, to: &Key) -> Result<ObjectMeta, StorageError> {
        self.inner.copy(from, to).await
    }

    async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        self.inner.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta, StorageError>> {
        self.inner.list(prefix)
    }

    async fn ping(&self, timeout: Duration) -> Result<(), StorageError> {
        self.inner.ping(timeout).await
    }
}

/// Remembers what was enqueued; may be away, may be wiped.
#[derive(Debug, Default)]
pub(crate) struct FakeQueue {
    /// 0: room for all.
    room: AtomicUsize,
    jobs: Mutex<BTreeSet<JobId>>,
    away: AtomicBool,
}

impl FakeQueue {
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn set_room(&self, per_org: usize) {
        self.room.store(per_org, Ordering::SeqCst);
    }

    pub(crate) fn wipe(&self) {
        self.jobs.lock().unwrap().clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.lock().unwrap().len()
    }

    fn there(&self) -> Result<(), QueueError> {
        if self.away.load(Ordering::SeqCst) { Err(QueueError::Timeout(Duration::ZERO)) } else { Ok(()) }
    }
}

#[async_trait]
impl Queue for FakeQueue {
    fn signals(&self) -> SharedSignals {
        Arc::new(LocalSignals::default())
    }

    fn service(&self) -> &'static str {
        "fake"
    }

    fn per_org(&self) -> usize {
        match self.room.load(Ordering::SeqCst) {
            0 => usize::MAX,
            room => room,
        }
    }

    async fn enqueue(&self, entries: &[Entry]) -> Result<u64, QueueError> {
        self.there()?;
        let mut jobs = self.jobs.lock().unwrap();
        Ok(entries.iter().filter(|entry| jobs.insert(entry.job_id)).count() as u64)
    }

    async fn claim(&self, _worker: &ProcessId, _lanes: Lanes, _lease: Duration) -> Result<Option<Claim>, QueueError> {
        self.there().map(|()| None)
    }

    async fn wait(&self, _lanes: Lanes, _timeout: Duration) -> Result<(), QueueError> {
        self.there()
    }

    async fn heartbeat(&self, _claim: &Claim, _lease: Duration) -> Result<Beat, QueueError> {
        self.there().map(|()| Beat::Lost)
    }

    async fn restore(&self, _claim: &Claim, _entry: &Entry, _lease: Duration) -> Result<Settled, QueueError> {
        self.there().map(|()| Settled::Lost)
    }

    async fn complete(&self, _claim: &Claim) -> Result<Settled, QueueError> {
        self.there().map(|()| Settled::Lost)
    }

    async fn retry(&self, _claim: &Claim, _run_at: Timestamp) -> Result<Settled, QueueError> {
        self.there().map(|()| Settled::Lost)
    }

    async fn bury(&self, _claim: &Claim, _reason: &str) -> Result<Settled, QueueError> {
        self.there().map(|()| Settled::Lost)
    }

    async fn release(&self, _claim: &Claim) -> Result<Settled, QueueError> {
        self.there().map(|()| Settled::Lost)
    }

    async fn cancel(&self, job: JobId) -> Result<bool, QueueError> {
        self.there()?;
        Ok(self.jobs.lock().unwrap().remove(&job))
    }

    async fn reap(&self, _limit: usize, _longest: Duration) -> Result<Vec<JobId>, QueueError> {
        self.there().map(|()| Vec::new())
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.there()?;
        Ok(Depth { ready: self.len() as u64, ..Depth::default() })
    }

    async fn ping(&self) -> Result<(), QueueError> {
        self.there()
    }
}
