//! Films that are encoded in parts, and which workers live.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(PARTS).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// `split` and `made` are JSON. A chunk's `kind` is `chunk/` and the number of its part.
const PARTS: &str = "
ALTER TABLE jobs ADD COLUMN split TEXT;
ALTER TABLE jobs ADD COLUMN parts INTEGER;
ALTER TABLE jobs ADD COLUMN made TEXT;
CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    slots BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
";
