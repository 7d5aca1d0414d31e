//! The schema's history. Each migration is written once and never changed, so it speaks SQL and imports no entity.
//!
//! All times are whole milliseconds UTC; JSON is kept as text, for it is never searched.

mod m20261123_000001_first;
mod m20261123_000002_leases;
mod m20261123_000003_packaging;
mod m20261123_000004_explain;
mod m20261123_000005_extras;
mod m20261123_000006_aging;
mod m20261123_000009_repeats;
mod m20261124_000010_resumables;
mod m20261124_000011_upload_rights;
mod m20261130_000012_events;
mod m20261130_000013_webhooks;
mod m20261130_000014_listing;
mod m20261130_000015_parts;
mod m20261130_000016_traces;
mod m20261201_000017_earned;
mod m20261201_000018_lanes;

use async_trait::async_trait;
use sea_orm_migration::{
    MigrationTrait, MigratorTrait,
    sea_orm::{
        ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
        TransactionOptions, TransactionTrait,
    },
};

/// Any number, the same for all processes of all deployments: Postgres keeps advisory locks per database.
const ADVISORY_LOCK: i64 = 0x7265_656c_6761_7465;

struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_first::Migration),
            Box::new(m20261123_000002_leases::Migration),
            Box::new(m20261123_000003_packaging::Migration),
            Box::new(m20261123_000004_explain::Migration),
            Box::new(m20261123_000005_extras::Migration),
            Box::new(m20261123_000006_aging::Migration),
            Box::new(m20261123_000009_repeats::Migration),
            Box::new(m20261124_000010_resumables::Migration),
            Box::new(m20261124_000011_upload_rights::Migration),
            Box::new(m20261130_000012_events::Migration),
            Box::new(m20261130_000013_webhooks::Migration),
            Box::new(m20261130_000014_listing::Migration),
            Box::new(m20261130_000015_parts::Migration),
            Box::new(m20261130_000016_traces::Migration),
            Box::new(m20261201_000017_earned::Migration),
            Box::new(m20261201_000018_lanes::Migration),
        ]
    }
}

/// Brings the schema up to date: all or nothing, one process at a time, nothing to do when it is done already.
///
/// # Errors
/// The database is away, may not be changed, or was migrated by a newer build.
pub async fn up(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = begin_alone(connection).await?;
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

/// Names of all migrations that this build knows, in order.
#[must_use]
pub fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// The next migration alone, as a build that knew no more would have run it; whether there was one. For looking at the schema between
/// two versions: `up` is what deployments do.
///
/// # Errors
/// As `up`.
pub async fn up_one(connection: &DatabaseConnection) -> Result<bool, DbErr> {
    let transaction = begin_alone(connection).await?;
    let pending = Migrator::get_pending_migrations(&transaction).await?;
    Migrator::up(&transaction, Some(1)).await?;
    transaction.commit().await?;
    Ok(!pending.is_empty())
}

/// A transaction that no other migration runs beside: the second process waits here for the first.
async fn begin_alone(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = connection.begin_with_options(options).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        // Migrations and the wait for them may take longer than the pool grants to a request's statement.
        let sql = format!("SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({ADVISORY_LOCK});");
        transaction.execute_unprepared(&sql).await?;
    }
    Ok(transaction)
}
