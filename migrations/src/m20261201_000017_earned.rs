//! Renditions that are made when they have been watched for: who watches, what is shown, and what was dropped.

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
        connection.execute_unprepared(&EARNED.replace("{uuid}", uuid)).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// `jobs.wanted` is JSON: the names of what an `earn` job is to make. `views.fresh`: nobody has looked since somebody watched. A slot of
/// views begins at `slot_at`. `dropped_objects` are named by no rendition any more, and are deleted from `sweep_at` on.
const EARNED: &str = "
ALTER TABLE renditions ADD COLUMN earned BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE renditions ADD COLUMN used_at BIGINT;
ALTER TABLE jobs ADD COLUMN wanted TEXT;
CREATE INDEX renditions_earned ON renditions (used_at) WHERE earned;
CREATE TABLE views (
    file_id {uuid} NOT NULL PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL,
    total BIGINT NOT NULL,
    counted_at BIGINT NOT NULL,
    fresh BOOLEAN NOT NULL
);
CREATE INDEX views_fresh ON views (counted_at) WHERE fresh;
CREATE TABLE view_slots (
    file_id {uuid} NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    slot_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (file_id, slot_at)
);
CREATE INDEX view_slots_by_age ON view_slots (slot_at);
CREATE TABLE dropped_objects (
    file_id {uuid} NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    generation BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    name TEXT NOT NULL,
    org_id TEXT NOT NULL,
    sweep_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, generation, attempt, name)
);
CREATE INDEX dropped_objects_due ON dropped_objects (sweep_at);
";
