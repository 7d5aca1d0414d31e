//! Lanes: which workers a job waits for, and which of them those serve that live.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(LANES).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// What the version before writes is `small`, and so is what its workers serve: they know the entries of that lane alone. `jobs_aged` stays
/// for them; where rows are few it costs next to nothing, and SQLite refuses a statement that names an index which is gone.
const LANES: &str = "
ALTER TABLE jobs ADD COLUMN lane TEXT NOT NULL DEFAULT 'small';
ALTER TABLE workers ADD COLUMN lanes TEXT NOT NULL DEFAULT 'small';
CREATE INDEX jobs_laned ON jobs (lane, org_id, (next_attempt_at - priority * 60000), id) WHERE state = 'queued';
";
