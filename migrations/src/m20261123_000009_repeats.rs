//! What tells a staged source from another in its place, and an upload that is sent again from a new one.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(REPEATS).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// Both stay empty in rows of the version before, which neither writes nor reads them.
const REPEATS: &str = "
ALTER TABLE files ADD COLUMN staged_version TEXT;
ALTER TABLE files ADD COLUMN repeat_key TEXT;
CREATE UNIQUE INDEX files_repeated ON files (org_id, owner_id, repeat_key) WHERE repeat_key IS NOT NULL;
";
