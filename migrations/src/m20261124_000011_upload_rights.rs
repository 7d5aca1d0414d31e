//! Who may upload how much: tokens for uploads without the user's credentials, and the locks under which an organisation's files
//! are counted.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(RIGHTS).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// `token` is a digest. What an organisation has is counted from its rows, so that it is never wrong; a row of `quota_locks` is held
/// while it is counted and added to.
const RIGHTS: &str = "
CREATE TABLE upload_tokens (
    token TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    max_bytes BIGINT NOT NULL CHECK (max_bytes >= 0),
    content_type TEXT,
    metadata TEXT NOT NULL,
    uploads_left BIGINT NOT NULL CHECK (uploads_left >= 0),
    expires_at BIGINT NOT NULL
);
CREATE INDEX upload_tokens_expiring ON upload_tokens (expires_at);
CREATE TABLE quota_locks (
    org_id TEXT NOT NULL PRIMARY KEY
);
CREATE INDEX files_usage ON files (org_id, state, size_bytes) WHERE deleted_at IS NULL;
";
