//! Resumable uploads: what is stored of them so far, and who is writing.

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
        let uuid = if connection.get_database_backend() == DbBackend::Sqlite { "BLOB" } else { "UUID" };
        connection.execute_unprepared(&RESUMABLES.replace("{uuid}", uuid)).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// `address` is a digest of the secret in the upload's address, never the secret. `file_id` names the objects; one of a partial upload
/// never becomes a file, so it refers to nothing. `sources` are those that a final upload is made of.
const RESUMABLES: &str = "
CREATE TABLE resumables (
    file_id {uuid} NOT NULL PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    role TEXT NOT NULL,
    filename TEXT NOT NULL,
    claimed_type TEXT,
    metadata TEXT NOT NULL,
    sources TEXT NOT NULL,
    length BIGINT CHECK (length >= 0),
    max_bytes BIGINT NOT NULL,
    part_bytes BIGINT NOT NULL CHECK (part_bytes > 0),
    stored_bytes BIGINT NOT NULL CHECK (stored_bytes >= 0),
    parts BIGINT NOT NULL,
    tail BIGINT,
    multipart TEXT,
    digest TEXT NOT NULL,
    fence BIGINT NOT NULL,
    holder TEXT,
    wanted BOOLEAN NOT NULL,
    forced BOOLEAN NOT NULL,
    finished BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX resumables_expiring ON resumables (expires_at);
CREATE INDEX resumables_of_org ON resumables (org_id) WHERE role = 'partial';
CREATE TABLE resumable_parts (
    file_id {uuid} NOT NULL REFERENCES resumables (file_id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (file_id, number)
);
";
