//! Files, renditions, jobs, uploads, offices, and the identity of the deployment.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let dialect = Dialect::of(connection.get_database_backend());
        for statements in [FILES, RENDITIONS, JOBS, UPLOADS, OFFICES, DEPLOYMENT] {
            connection.execute_unprepared(&dialect.translate(statements)).await?;
        }
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the first migration has nothing to go back to".to_owned()))
    }
}

/// The few words in which the two databases differ.
struct Dialect {
    uuid: &'static str,
    now_ms: &'static str,
    random_hex: &'static str,
}

impl Dialect {
    fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Sqlite => Self {
                uuid: "BLOB",
                now_ms: "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)",
                random_hex: "lower(hex(randomblob(16)))",
            },
            _ => Self {
                uuid: "UUID",
                now_ms: "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)",
                random_hex: "replace(CAST(gen_random_uuid() AS TEXT), '-', '')",
            },
        }
    }

    fn translate(&self, statements: &str) -> String {
        statements
            .replace("{uuid}", self.uuid)
            .replace("{now_ms}", self.now_ms)
            .replace("{random_hex}", self.random_hex)
    }
}

/// A file's id sorts by its time of creation, so the newest-first list needs no index on a time.
const FILES: &str = "
CREATE TABLE files (
    id {uuid} NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    location TEXT NOT NULL,
    filename TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL CHECK (size_bytes >= 0),
    sha256 TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    failure_retryable BOOLEAN,
    generation BIGINT NOT NULL CHECK (generation >= 1),
    media TEXT,
    grid TEXT,
    source_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ready_at BIGINT,
    deleted_at BIGINT,
    UNIQUE (org_id, location)
);
CREATE INDEX files_newest_first ON files (org_id, id) WHERE deleted_at IS NULL;
CREATE INDEX files_tombstones ON files (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX files_transient ON files (updated_at)
    WHERE deleted_at IS NULL AND state IN ('uploading', 'staged', 'processing');
CREATE INDEX files_unpromoted ON files (id)
    WHERE deleted_at IS NULL AND substr(source_key, 1, 8) = 'staging/'
        AND (state IN ('ready', 'failed') OR media IS NOT NULL);
";

const RENDITIONS: &str = "
CREATE TABLE renditions (
    file_id {uuid} NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    name TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL CHECK (size_bytes >= 0),
    width BIGINT,
    height BIGINT,
    bitrate BIGINT,
    codecs TEXT,
    duration_ms BIGINT,
    layout TEXT NOT NULL,
    etag TEXT NOT NULL,
    rank INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, generation, name)
);
";

/// Partial indexes serve only statements that spell their condition in the same words, without parameters.
/// `lease_ms` is the policy under which the attempt runs, so that anyone can tell when its worker counts as lost.
const JOBS: &str = "
CREATE TABLE jobs (
    id {uuid} NOT NULL PRIMARY KEY,
    file_id {uuid} NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 100),
    payload_version INTEGER NOT NULL,
    attempt BIGINT NOT NULL CHECK (attempt >= 0),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    losses INTEGER NOT NULL CHECK (losses >= 0),
    next_attempt_at BIGINT NOT NULL,
    heartbeat_at BIGINT,
    lease_ms BIGINT,
    worker TEXT,
    progress DOUBLE PRECISION NOT NULL CHECK (progress BETWEEN 0 AND 1),
    last_error_code TEXT,
    last_error TEXT,
    plan TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    UNIQUE (file_id, generation, kind)
);
CREATE INDEX jobs_waiting ON jobs (org_id, priority DESC, next_attempt_at, id) WHERE state = 'queued';
CREATE INDEX jobs_silent ON jobs (heartbeat_at) WHERE state = 'running';
CREATE INDEX jobs_oldest ON jobs (next_attempt_at) WHERE state = 'queued';
CREATE INDEX jobs_dead ON jobs (finished_at) WHERE state = 'dead';
";

const UPLOADS: &str = "
CREATE TABLE uploads (
    file_id {uuid} NOT NULL PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL,
    staging_key TEXT NOT NULL,
    multipart TEXT,
    touched_at BIGINT NOT NULL
);
CREATE INDEX uploads_silent ON uploads (touched_at);
";

const OFFICES: &str = "
CREATE TABLE offices (
    office TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
";

/// One row for ever: the object store must bear the same identity, else nothing in it is deleted.
const DEPLOYMENT: &str = "
CREATE TABLE deployment (
    single INTEGER NOT NULL PRIMARY KEY CHECK (single = 1),
    id TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
INSERT INTO deployment (single, id, created_at) VALUES (1, {random_hex}, {now_ms});
";
