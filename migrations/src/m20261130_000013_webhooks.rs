//! Endpoints that are told events, and what was sent to them.

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
        connection.execute_unprepared(&WEBHOOKS.replace("{uuid}", uuid)).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// Secrets are sealed. `last_seq` is the number of the last event that deliveries were made of; `served_at` says when some of its
/// deliveries were taken last, so that endpoints take turns.
///
/// `due_at` of a delivery: while it waits not before that, while it is sent until when its claim holds. `seq` and `file_id` of a test
/// are empty, and a file that is deleted goes on being told of, so it refers to no file.
const WEBHOOKS: &str = "
CREATE TABLE webhooks (
    id {uuid} NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    events TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    disabled_reason TEXT,
    disabled_at BIGINT,
    failing_since BIGINT,
    failures BIGINT NOT NULL,
    secret TEXT NOT NULL,
    old_secret TEXT,
    old_secret_until BIGINT,
    last_seq BIGINT NOT NULL,
    served_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhooks_of_org ON webhooks (org_id, id);
CREATE TABLE deliveries (
    id {uuid} NOT NULL PRIMARY KEY,
    webhook_id {uuid} NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL,
    seq BIGINT,
    file_id {uuid},
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    holder TEXT,
    due_at BIGINT NOT NULL,
    give_up_at BIGINT NOT NULL,
    attempted_at BIGINT,
    last_status BIGINT,
    last_error TEXT,
    duration_ms BIGINT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    UNIQUE (webhook_id, seq)
);
CREATE INDEX deliveries_log ON deliveries (webhook_id, id);
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at) WHERE finished_at IS NULL;
CREATE INDEX deliveries_of_file ON deliveries (webhook_id, file_id, seq) WHERE finished_at IS NULL;
CREATE INDEX deliveries_waiting ON deliveries (created_at) WHERE finished_at IS NULL;
CREATE INDEX deliveries_over ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
";
