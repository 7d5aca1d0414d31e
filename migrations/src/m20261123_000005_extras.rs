//! What renditions of some kinds have besides (null elsewhere), and the thumbnails that were asked for.

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
        let uuid = match connection.get_database_backend() {
            DbBackend::Sqlite => "BLOB",
            _ => "UUID",
        };
        connection.execute_unprepared("ALTER TABLE renditions ADD COLUMN details TEXT").await?;
        connection.execute_unprepared(&STILLS.replace("{uuid}", uuid)).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// A row is a wish until it is made (`made_at`) or refused. `attempt` is that of the file's thumbnail job.
const STILLS: &str = "
CREATE TABLE stills (
    file_id {uuid} NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    name TEXT NOT NULL,
    org_id TEXT NOT NULL,
    second BIGINT NOT NULL CHECK (second >= 0),
    width BIGINT NOT NULL CHECK (width > 0),
    format TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    made_at BIGINT,
    attempt BIGINT,
    size_bytes BIGINT,
    etag TEXT,
    refused TEXT,
    PRIMARY KEY (file_id, generation, name)
);
CREATE INDEX stills_wanted ON stills (org_id) WHERE made_at IS NULL AND refused IS NULL;
CREATE INDEX stills_made ON stills (org_id, made_at) WHERE made_at IS NOT NULL;
";
