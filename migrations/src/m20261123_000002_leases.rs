//! Playback leases, and the epochs that end them.

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
        for statements in [LEASES, EPOCHS] {
            connection.execute_unprepared(&statements.replace("{uuid}", uuid)).await?;
        }
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// Two gateways that race to open the same lease meet at the unique key. `user_agent` is a digest. What a purged file
/// leaves behind goes with it.
const LEASES: &str = "
CREATE TABLE playback_leases (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    file_id {uuid} NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    token_id TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    prefix TEXT NOT NULL,
    scope TEXT NOT NULL,
    token_issued_at BIGINT NOT NULL,
    token_expires_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    moved_at BIGINT,
    moves TEXT NOT NULL,
    pins TEXT NOT NULL,
    UNIQUE (token_id, file_id, user_agent, prefix)
);
CREATE INDEX playback_leases_of_file ON playback_leases (file_id);
CREATE INDEX playback_leases_seen ON playback_leases (seen_at);
CREATE INDEX playback_leases_issued ON playback_leases (token_issued_at);
CREATE INDEX playback_leases_moved ON playback_leases (moved_at) WHERE moved_at IS NOT NULL;
";

/// `kind` is org, user, file or lease; `subject` its identifier, empty for the organisation itself.
const EPOCHS: &str = "
CREATE TABLE epochs (
    org_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    bumped_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, kind, subject)
);
CREATE INDEX epochs_bumped ON epochs (bumped_at);
";
