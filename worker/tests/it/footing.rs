//! One worker's world in a temporary folder: SQLite, a directory, the in-process queue, and a scripted task.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use reelgate_common::{
    backends::Backends,
    config::Secret,
    db::{FileWithRenditions, NewFile, NewJob, StagedFile, config::DatabaseConfig},
    file::{FileKind, FileState},
    hex::hex,
    ids::{FileId, JobId, OrgId, UserId},
    job::{DEFAULT_PRIORITY, JobKind, JobPolicy, JobRecord, JobState},
    key::Key,
    lane::Lane,
    queue::{Entry, config::QueueConfig},
    storage::config::StorageConfig,
    timestamp::Timestamp,
};
use reelgate_worker::{WorkerConfig, config::WorkerSection};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing here takes as long; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Footing {
    dir: TempDir,
    pub(crate) backends: Backends,
    pub(crate) org: OrgId,
    pub(crate) config: WorkerConfig,
}

/// A worker that runs beside the test.
pub(crate) struct Running {
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

impl Running {
    /// Stops the worker as SIGTERM does, and waits for its end.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.worker).await.expect("the worker does not stop").unwrap();
    }
}

impl Footing {
    pub(crate) async fn new(behaviour: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("behaviour"), behaviour).unwrap();
        let database = DatabaseConfig {
            url: Secret::new(format!("sqlite:{}", dir.path().join("test.db").display())),
            ..DatabaseConfig::default()
        };
        let storage =
            StorageConfig { url: format!("file:{}", dir.path().join("objects").display()), ..StorageConfig::default() };
        let backends = Backends::open(&database, &QueueConfig::default(), &storage).await.unwrap();
        reelgate_migrations::up(backends.db.connection()).await.unwrap();
        let config = WorkerConfig {
            worker: WorkerSection {
                scratch_dir: dir.path().join("scratch"),
                poll_ms: 20,
                threads: 1,
                // Longer than a test waits: else the watchdog would end what another guard has to end.
                probe_limit_ms: 3_600_000,
                ..WorkerSection::default()
            },
            jobs: JobPolicy { backoff_base_ms: 1, backoff_max_ms: 2, heartbeat_ms: 20, ..JobPolicy::default() },
            task_program: Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/scripted_task.sh"))),
            ..WorkerConfig::default()
        };
        Self { dir, backends, org: OrgId::new("acme"), config }
    }

    pub(crate) fn start(&self) -> Running {
        let stop = CancellationToken::new();
        let (config, backends, stopped) = (self.config.clone(), self.backends.clone(), stop.clone());
        let worker = tokio::spawn(async move { reelgate_worker::run(config, backends, None, stopped).await.unwrap() });
        Running { stop, worker }
    }

    /// An accepted upload whose job waits in the queue.
    pub(crate) async fn upload(&self, content: &'static [u8]) -> FileId {
        let (db, file) = (&self.backends.db, FileId::new());
        let staging_key = Key::Staging { org: self.org.clone(), file };
        db.create_file(&NewFile {
            id: file,
            org_id: self.org.clone(),
            owner_id: UserId::new("alice"),
            location: format!("2026/11/{file}/film.bin"),
            filename: "film.bin".to_owned(),
            staging_key: staging_key.clone(),
            repeat_key: None,
            labels: reelgate_common::labels::Labels::default(),
        })
        .await
        .unwrap();
        let stored = self.backends.storage.put(&staging_key, Bytes::from_static(content)).await.unwrap();
        let job = NewJob { id: JobId::new(), kind: JobKind::Process, priority: DEFAULT_PRIORITY };
        let staged = StagedFile {
            size_bytes: content.len() as u64,
            sha256: hex(&Sha256::digest(content)),
            content_type: "video/mp4".to_owned(),
            kind: FileKind::Video,
            state: FileState::Staged,
            version: Some(stored.version),
        };
        db.stage_file(&self.org, file, &staged, Some(&job)).await.unwrap().unwrap();
        let (org_id, run_at) = (self.org.clone(), Timestamp(0));
        let entry = Entry { job_id: job.id, org_id, lane: Lane::Small, priority: DEFAULT_PRIORITY, run_at, due: true };
        self.backends.queue.enqueue(&[entry]).await.unwrap();
        file
    }

    pub(crate) async fn file(&self, file: FileId) -> FileWithRenditions {
        self.backends.db.find_file(&self.org, file).await.unwrap().unwrap()
    }

    pub(crate) async fn job(&self, file: FileId) -> JobRecord {
        self.backends.db.jobs_of(&self.org, file).await.unwrap().remove(0)
    }

    /// Returns when the file is `ready` or `failed`.
    pub(crate) async fn settled(&self, file: FileId) -> FileWithRenditions {
        until("the file is settled", async || {
            let found = self.file(file).await;
            matches!(found.file.state, FileState::Ready | FileState::Failed).then_some(found)
        })
        .await
    }

    /// Returns when the file's job is in this state.
    pub(crate) async fn job_is(&self, file: FileId, state: JobState) {
        until("the job gets there", async || (self.job(file).await.state == state).then_some(())).await;
    }

    /// The process id that the scripted task wrote into `started`.
    pub(crate) async fn started_task(&self) -> u32 {
        let path = self.dir.path().join("started");
        until("the task has started", async || fs::read_to_string(&path).ok()?.trim().parse().ok()).await
    }

    /// The test's.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a file that the scripted task waits for.
    pub(crate) fn release(&self, name: &str) {
        fs::write(self.dir.path().join(name), "").unwrap();
    }

    /// What the scripted task wrote into a file of the test's folder.
    pub(crate) fn written(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    pub(crate) async fn task_is_gone(&self, task: u32) {
        let path = format!("/proc/{task}");
        until("the task is gone", async || (!Path::new(&path).exists()).then_some(())).await;
    }

    /// Returns when no attempt has a folder any more; those of living workers and the locks stay.
    pub(crate) async fn scratch_is_empty(&self) {
        until("scratch is empty", async || self.attempt_folders().ok().filter(Vec::is_empty)).await;
    }

    fn attempt_folders(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for worker in folders(&self.config.worker.scratch_dir)? {
            found.extend(folders(&worker)?);
        }
        Ok(found)
    }

    /// Whatever lies in the scratch folder besides its lock.
    pub(crate) fn scratch_folders(&self) -> Vec<PathBuf> {
        folders(&self.config.worker.scratch_dir).unwrap()
    }
}

fn folders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(path).with_context(|| path.display().to_string())?;
    Ok(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir()).collect())
}

/// Asks again and again until there is an answer.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            match ask().await {
                Some(answer) => break answer,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}
