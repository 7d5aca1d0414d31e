//! Traces go on where their work does: in a job's attempts, and in what is told of events.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(TRACES).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// A `traceparent` (W3C), of what has made the row; none while nothing is traced.
const TRACES: &str = "
ALTER TABLE jobs ADD COLUMN trace TEXT;
ALTER TABLE events ADD COLUMN trace TEXT;
ALTER TABLE deliveries ADD COLUMN trace TEXT;
";
