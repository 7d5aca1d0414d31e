//! What became of each attempt, for people who ask why.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// `ended_at` is null while the attempt runs.
const ATTEMPTS: &str = "
CREATE TABLE attempts (
    job_id {uuid} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    worker TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    progress DOUBLE PRECISION NOT NULL,
    ended_at BIGINT,
    outcome TEXT,
    code TEXT,
    message TEXT,
    last_words TEXT,
    peak_memory_bytes BIGINT,
    PRIMARY KEY (job_id, attempt)
);
CREATE INDEX jobs_newest_first ON jobs (org_id, id);
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let uuid = if connection.get_database_backend() == DbBackend::Postgres { "UUID" } else { "BLOB" };
        connection.execute_unprepared(&ATTEMPTS.replace("{uuid}", uuid)).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("DROP TABLE attempts").await?;
        connection.execute_unprepared("DROP INDEX jobs_newest_first").await?;
        Ok(())
    }
}
