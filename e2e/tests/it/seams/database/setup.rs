//! A fresh database, and short words for what the tests do to it again and again.

use anyhow::{Context, Result, anyhow};
use reelgate_common::{
    config::Secret,
    db::{Attempt, Db, NewFile, NewJob, StagedFile, config::DatabaseConfig},
    file::{Failure, FileKind, FileRecord, FileState},
    ids::{FileId, JobId, OrgId, ProcessId, UserId},
    job::{DEFAULT_PRIORITY, Fence, JobKind, JobPolicy, JobRecord},
    key::Key,
    rendition::{Piece, Rendition, RenditionKind, Role},
    timestamp::Timestamp,
};
use reelgate_e2e::services::Postgres;
use tempfile::TempDir;

/// Failures wait for nothing and a worker is lost as soon as one asks, so that no test need wait.
pub(super) const AT_ONCE: JobPolicy =
    JobPolicy { max_failures: 3, max_losses: 5, backoff_base_ms: 0, backoff_max_ms: 0, lease_ms: 0, heartbeat_ms: 0 };

/// A migrated database of one test's own.
pub(super) struct Place {
    pub(super) db: Db,
    pub(super) url: String,
    _folder: Option<TempDir>,
}

impl Place {
    pub(super) async fn sqlite() -> Result<Self> {
        let place = Self::empty_sqlite().await?;
        place.migrated().await
    }

    pub(super) async fn postgres() -> Result<Self> {
        Self::empty_postgres().await?.migrated().await
    }

    pub(super) async fn empty_postgres() -> Result<Self> {
        let url = Postgres::shared().await?.fresh_database()?;
        Ok(Self { db: open(&url).await?, url, _folder: None })
    }

    pub(super) async fn empty_sqlite() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("a 100% odd?name.db").display());
        Ok(Self { db: open(&url).await?, url, _folder: Some(folder) })
    }

    async fn migrated(self) -> Result<Self> {
        reelgate_migrations::up(self.db.connection()).await?;
        Ok(self)
    }

    /// Changes rows as no helper would.
    pub(super) async fn tamper(&self, sql: &str) -> Result<()> {
        use sea_orm::ConnectionTrait;
        self.db.connection().execute_unprepared(sql).await?;
        Ok(())
    }

    /// A new id, and a table `series` of the numbers `n` from 1 on.
    fn series(&self, count: u32) -> (&'static str, String) {
        match self.url.starts_with("sqlite:") {
            true => (
                "randomblob(16)",
                format!("WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})"),
            ),
            false => ("gen_random_uuid()", format!("WITH series (n) AS (SELECT generate_series(1, {count}))")),
        }
    }

    /// Many files like this one, of `org-0` and so on in turn; times, sizes and names are their own.
    pub(super) async fn multiply_file(&self, file: FileId, count: u32, orgs: u32) -> Result<()> {
        let (id, series) = self.series(count);
        let alike = "owner_id, filename, content_type, sha256, kind, state, generation, source_key";
        let file = self.literal(file.0);
        self.tamper(&format!(
            "INSERT INTO files (id, org_id, location, created_at, updated_at, size_bytes, name_key, {alike}) {series} \
             SELECT {id}, 'org-' || (n % {orgs}), location || n, created_at + n, updated_at + n * 7919 % {count}, n * 104729 % 65521, \
             'film ' || (n * 31 % 9973), {alike} FROM files CROSS JOIN series WHERE id = {file}"
        ))
        .await
    }

    /// Many waiting jobs like the file's own.
    pub(super) async fn multiply_job(&self, file: FileId, count: u32) -> Result<()> {
        let (id, series) = self.series(count);
        let columns = "org_id, lane, kind, state, priority, payload_version, attempt, failures, losses, next_attempt_at, progress, created_at";
        let file = self.literal(file.0);
        self.tamper(&format!(
            "INSERT INTO jobs (id, file_id, generation, {columns}) {series} \
             SELECT {id}, file_id, generation + n, {columns} FROM jobs CROSS JOIN series WHERE file_id = {file}"
        ))
        .await
    }

    /// As if the file's job had waited since long ago.
    pub(super) async fn age_job(&self, file: FileId, by: std::time::Duration) -> Result<()> {
        let (file, by) = (self.literal(file.0), by.as_millis());
        self.tamper(&format!("UPDATE jobs SET next_attempt_at = next_attempt_at - {by} WHERE file_id = {file}")).await
    }

    /// As if the database's clock had been set back: all that was written before is of the future.
    pub(super) async fn set_clock_back(&self, by: std::time::Duration) -> Result<()> {
        let by = by.as_millis();
        self.tamper(&format!(
            "UPDATE jobs SET next_attempt_at = next_attempt_at + {by}, heartbeat_at = heartbeat_at + {by}; \
             UPDATE uploads SET touched_at = touched_at + {by}; UPDATE offices SET expires_at = expires_at + {by}"
        ))
        .await
    }

    fn literal(&self, id: uuid::Uuid) -> String {
        if self.url.starts_with("sqlite:") { format!("x'{}'", id.simple()) } else { format!("'{id}'") }
    }

    /// Another process's view of the same database.
    pub(super) async fn another(&self) -> Result<Db> {
        open(&self.url).await
    }
}

pub(super) async fn open(url: &str) -> Result<Db> {
    // Generous, because the machine that runs the tests may be busy.
    let config = DatabaseConfig { url: Secret::new(url), max_connections: 8, timeout_ms: 30_000 };
    Ok(Db::connect(&config).await?)
}

pub(super) fn org(name: &str) -> OrgId {
    OrgId::new(name)
}

pub(super) fn worker(name: &str) -> ProcessId {
    ProcessId::new(name)
}

pub(super) fn new_file(org: &OrgId) -> NewFile {
    let id = FileId::new();
    NewFile {
        id,
        org_id: org.clone(),
        owner_id: UserId::new("alice"),
        location: format!("2026/11/{id}/clip.mp4"),
        filename: "clip.mp4".to_owned(),
        staging_key: Key::Staging { org: org.clone(), file: id },
        repeat_key: None,
        labels: reelgate_common::labels::Labels::default(),
    }
}

pub(super) fn staged(state: FileState) -> StagedFile {
    StagedFile {
        size_bytes: 7_000_000_000,
        sha256: "ab".repeat(32),
        content_type: "video/mp4".to_owned(),
        kind: FileKind::Video,
        state,
        version: None,
    }
}

pub(super) fn new_job(priority: u8) -> NewJob {
    NewJob { id: JobId::new(), kind: JobKind::Process, priority }
}

pub(super) async fn uploading(db: &Db, org: &OrgId) -> Result<FileId> {
    let new = new_file(org);
    db.create_file(&new).await?;
    Ok(new.id)
}

/// A staged file and its waiting job.
pub(super) async fn waiting(db: &Db, org: &OrgId) -> Result<(FileId, JobId)> {
    waiting_at(db, org, DEFAULT_PRIORITY).await
}

pub(super) async fn waiting_at(db: &Db, org: &OrgId, priority: u8) -> Result<(FileId, JobId)> {
    let (file, job) = (uploading(db, org).await?, new_job(priority));
    db.stage_file(org, file, &staged(FileState::Staged), Some(&job)).await?.context("was not staged")?;
    Ok((file, job.id))
}

/// A file that a worker processes.
pub(super) async fn running(db: &Db, org: &OrgId) -> Result<(FileId, Fence)> {
    let (file, job) = waiting(db, org).await?;
    Ok((file, begin(db, job).await?.fence))
}

pub(super) async fn begin(db: &Db, job: JobId) -> Result<Attempt> {
    db.begin_attempt(job, &worker("w1"), &JobPolicy::default()).await?.map_err(|why| anyhow!("not begun: {why:?}"))
}

pub(super) async fn file(db: &Db, org: &OrgId, file: FileId) -> Result<FileRecord> {
    Ok(db.find_file(org, file).await?.context("no such file")?.file)
}

pub(super) async fn job(db: &Db, org: &OrgId, file: FileId) -> Result<JobRecord> {
    db.jobs_of(org, file).await?.pop().context("no job")
}

pub(super) fn rendition(fence: &Fence, name: &str, kind: RenditionKind) -> Rendition {
    let piece = Piece { object: Role::Output(format!("{name}.mp4")), offset: 0, length: 5_000_000_000 };
    Rendition {
        file_id: fence.file_id,
        generation: fence.generation,
        attempt: fence.attempt,
        name: name.to_owned(),
        kind,
        content_type: "video/mp4".to_owned(),
        size_bytes: 5_000_000_000,
        width: Some(1280),
        height: Some(720),
        bitrate: Some(2_500_000),
        codecs: Some("avc1.64001f,mp4a.40.2".to_owned()),
        duration_ms: Some(60_000),
        layout: vec![piece],
        etag: format!("{name}-{}", fence.attempt),
        rank: 720,
        packaging: None,
        details: None,
        earned: false,
        used_at: None,
        created_at: Timestamp::default(),
    }
}

pub(super) fn failure(retryable: bool) -> Failure {
    Failure { code: "decode_error".to_owned(), message: "The file is broken.".to_owned(), retryable }
}
