//! What has happened to files, for those who listen: a log for each organisation, numbered in the order of its commits.

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
        connection.execute_unprepared(&EVENTS.replace("{uuid}", uuid)).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// The row of `event_counters` is held from the number on until the commit, so the numbers have no gaps and are in the order of the
/// commits. An event outlives its file, so it refers to nothing. `listener_leases` are like playback leases, but of no file: who has one
/// listens again after the token has expired.
const EVENTS: &str = "
CREATE TABLE event_counters (
    org_id TEXT NOT NULL PRIMARY KEY,
    last_seq BIGINT NOT NULL
);
CREATE TABLE events (
    org_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    file_id {uuid} NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, seq)
);
CREATE INDEX events_of_file ON events (file_id, seq);
CREATE INDEX events_aging ON events (created_at);
CREATE TABLE listener_leases (
    token_id TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    prefix TEXT NOT NULL,
    org_id TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    lease TEXT NOT NULL,
    PRIMARY KEY (token_id, user_agent, prefix)
);
CREATE INDEX listener_leases_seen ON listener_leases (seen_at);
";
