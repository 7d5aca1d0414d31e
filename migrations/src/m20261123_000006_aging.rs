//! What waits, in the order in which the dispatcher takes it: a point of priority is worth a minute of waiting.

use sea_orm_migration::{
    prelude::{DeriveMigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, DbErr},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(AGED).await?;
        Ok(())
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("a schema is never taken back".to_owned()))
    }
}

/// Serves only statements that spell the expression in the same words. A gateway of the version before reads without its own
/// index for as long as the upgrade takes.
const AGED: &str = "
CREATE INDEX jobs_aged ON jobs (org_id, (next_attempt_at - priority * 60000), id) WHERE state = 'queued';
DROP INDEX jobs_waiting;
";
