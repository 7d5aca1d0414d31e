//! Lists that are filtered and sorted, tags and metadata of files, the trash, and files that end by themselves.

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
        let (uuid, bytewise) = match connection.get_database_backend() {
            DbBackend::Sqlite => ("BLOB", ""),
            _ => ("UUID", "COLLATE \"C\""),
        };
        let sql = LISTING.replace("{uuid}", uuid).replace("{bytewise}", bytewise);
        connection.execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// `name_key` is the name as it is searched and sorted by, made by us, for the two databases fold and order letters differently. It is
/// empty in rows of older builds until the maintenance has filled it in. `tags` and `metadata` are JSON; `file_tags` says the tags again,
/// one row each, to be searched. What is in the trash says itself when it goes, so that another setting changes nothing about it.
const LISTING: &str = "
ALTER TABLE files ADD COLUMN name_key TEXT {bytewise} NOT NULL DEFAULT '';
ALTER TABLE files ADD COLUMN tags TEXT;
ALTER TABLE files ADD COLUMN metadata TEXT;
ALTER TABLE files ADD COLUMN expires_at BIGINT;
ALTER TABLE files ADD COLUMN trashed_at BIGINT;
ALTER TABLE files ADD COLUMN trash_ends_at BIGINT;
CREATE TABLE file_tags (
    file_id {uuid} NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    tag TEXT {bytewise} NOT NULL,
    org_id TEXT NOT NULL,
    PRIMARY KEY (file_id, tag)
);
CREATE INDEX file_tags_found ON file_tags (org_id, tag, file_id);
CREATE INDEX files_by_creation ON files (org_id, created_at, id) WHERE deleted_at IS NULL AND trashed_at IS NULL;
CREATE INDEX files_by_size ON files (org_id, size_bytes, id) WHERE deleted_at IS NULL AND trashed_at IS NULL;
CREATE INDEX files_by_name ON files (org_id, name_key, id) WHERE deleted_at IS NULL AND trashed_at IS NULL;
CREATE INDEX files_in_trash ON files (org_id, created_at, id) WHERE trashed_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX files_leaving_trash ON files (trash_ends_at) WHERE trash_ends_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX files_expiring ON files (expires_at) WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX files_unnamed ON files (id) WHERE name_key = '' AND deleted_at IS NULL;
";
