//! The one way to write in a transaction, and the database's clock.

use std::{
    ops::Deref,
    sync::{Mutex, PoisonError},
};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Db, DbError,
    events::{self, Told},
};
use crate::{event::Bell, lane::LanePolicy, timestamp::Timestamp};

/// An open write transaction; dropped without `commit` it leaves nothing behind.
#[derive(Debug)]
pub(super) struct WriteTx {
    transaction: DatabaseTransaction,
    /// The database's clock at the beginning. Every time that is written or compared in this transaction is this one.
    pub(super) now: Timestamp,
    /// Where new jobs go.
    pub(super) lanes: LanePolicy,
    /// Written at the commit, after everything else.
    told: Mutex<Vec<Told>>,
    bell: Bell,
    _turn: Option<OwnedSemaphorePermit>,
}

impl WriteTx {
    pub(super) async fn commit(self) -> Result<(), DbError> {
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        let concerned = events::write(&self, told).await?;
        self.transaction.commit().await?;
        for org in concerned {
            self.bell.ring(org);
        }
        Ok(())
    }

    /// For `events::record`.
    pub(super) fn tell(&self, event: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl Deref for WriteTx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

impl Db {
    /// Begins a write transaction. On SQLite it is IMMEDIATE: a deferred one that reads first fails when another has
    /// written meanwhile. On Postgres callers lock the file's row before its job's, always in this order.
    pub(super) async fn write(&self) -> Result<WriteTx, DbError> {
        let turn = match &self.turn {
            Some(turn) => Some(turn.clone().acquire_owned().await.map_err(|closed| DbError::Away(Box::new(closed)))?),
            None => None,
        };
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.connection.begin_with_options(options).await?;
        let now = clock(&transaction).await?;
        let (lanes, bell) = (self.lanes, self.bell.clone());
        Ok(WriteTx { transaction, now, lanes, told: Mutex::default(), bell, _turn: turn })
    }

    /// The database's clock.
    ///
    /// # Errors
    /// The database is away.
    pub async fn clock(&self) -> Result<Timestamp, DbError> {
        self.in_time(self.now()).await
    }

    /// The same, for reads that compare times.
    pub(super) async fn now(&self) -> Result<Timestamp, DbError> {
        clock(&self.connection).await
    }
}

/// The database's clock as an expression in a statement.
pub(super) const fn now_ms(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)",
        _ => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    }
}

async fn clock(connection: &impl ConnectionTrait) -> Result<Timestamp, DbError> {
    let backend = connection.get_database_backend();
    let sql = format!("SELECT {} AS now", now_ms(backend));
    let row = connection.query_one_raw(Statement::from_string(backend, sql)).await?;
    let row = row.ok_or_else(|| DbError::Garbled("the database's clock gave no row".to_owned()))?;
    Ok(Timestamp(row.try_get("", "now")?))
}
