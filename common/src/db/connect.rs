//! Opening the database: its two dialects, and how long anyone waits for it.

use std::{future::Future, sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr,
    sqlx::{
        Connection, Error as SqlxError, Row,
        postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
        raw_sql,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use tokio::sync::Semaphore;

use super::{DbError, config::DatabaseConfig};
use crate::{event::Bell, lane::LanePolicy};

/// A pool of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pub(super) connection: DatabaseConnection,
    pub(super) timeout: Duration,
    /// SQLite has one writer at a time: they queue here, in order, and not in its busy handler, which is unfair.
    pub(super) turn: Option<Arc<Semaphore>>,
    pub(super) bell: Bell,
    pub(super) lanes: LanePolicy,
}

impl Db {
    /// Opens the pool; does not migrate.
    ///
    /// # Errors
    /// The address cannot be read, or the database is away.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, DbError> {
        let timeout = Duration::from_millis(config.timeout_ms);
        let options = options(config, timeout)?;
        let connection = within(timeout, Database::connect(options)).await?;
        let turn = (connection.get_database_backend() == DbBackend::Sqlite).then(|| Arc::new(Semaphore::new(1)));
        Ok(Self { connection, timeout, turn, bell: Bell::default(), lanes: LanePolicy::default() })
    }

    /// The same pool; the jobs that are made through it go into lanes by this policy.
    #[must_use]
    pub fn with_lanes(self, lanes: LanePolicy) -> Self {
        Self { lanes, ..self }
    }

    /// By what new jobs go into lanes.
    #[must_use]
    pub fn lanes(&self) -> &LanePolicy {
        &self.lanes
    }

    /// For `reelgate migrate` and the embedded start only: migrations need the bare connection.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Rings after each commit of this process that has told something.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// What it is, for those who look for what is away.
    #[must_use]
    pub fn service(&self) -> &'static str {
        if self.turn.is_some() { "sqlite" } else { "postgres" }
    }

    /// # Errors
    /// The database is away.
    pub async fn ping(&self) -> Result<(), DbError> {
        within(self.timeout, self.connection.ping()).await
    }

    /// Closes all connections, waiting for those in use; SQLite folds its log into the file.
    pub async fn close(&self) {
        if let Err(error) = self.connection.close_by_ref().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }

    /// Runs one helper's work; when the database hangs the caller hears of it in time.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
        within(self.timeout, work).await
    }
}

async fn within<T, E: Into<DbError>>(
    timeout: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, DbError> {
    match tokio::time::timeout(timeout, work).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(elapsed) => Err(DbError::Away(Box::new(elapsed))),
    }
}

fn options(config: &DatabaseConfig, timeout: Duration) -> Result<ConnectOptions, DbError> {
    let url = config.url.expose();
    let mut options = match url.strip_prefix("sqlite:") {
        Some(path) => sqlite(path, timeout),
        None if url.starts_with("postgres://") || url.starts_with("postgresql://") => postgres(url, timeout),
        None => return Err(unreadable_address()),
    };
    options
        .max_connections(config.max_connections.max(1))
        .acquire_timeout(timeout)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    Ok(options)
}

fn unreadable_address() -> DbError {
    let source = DbErr::Custom("expected sqlite:PATH or postgres://…".to_owned());
    DbError::Refused { what: "database.url", source: Box::new(source) }
}

/// All after `sqlite:` (and an optional `//`) is a path as it stands, also with `%` or `?` in it.
fn sqlite(path: &str, timeout: Duration) -> ConnectOptions {
    let path = path.strip_prefix("//").unwrap_or(path).to_owned();
    let mut options = ConnectOptions::new("sqlite:file");
    options.map_sqlx_sqlite_opts(move |settings: SqliteConnectOptions| {
        settings
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(timeout)
            .foreign_keys(true)
    });
    options.map_sqlx_sqlite_pool_opts(close_confused);
    options
}

/// On a full disk SQLite ends a transaction by itself, so the driver's rollback fails, and the driver takes the connection for one inside
/// a transaction from then on: what is written there would be answered and never committed, and would hold up every other writer. Such a
/// connection is closed. The pool's own test goes before, so what was queued for the connection, such as that rollback, is done.
fn close_confused(pool: SqlitePoolOptions) -> SqlitePoolOptions {
    pool.test_before_acquire(true)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

fn postgres(url: &str, timeout: Duration) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.statement_timeout(timeout).set_application_name("reelgate");
    let forgotten = (timeout * ABANDONED).as_millis();
    options.map_sqlx_postgres_opts(move |settings: PgConnectOptions| {
        settings.options([("idle_in_transaction_session_timeout", forgotten)])
    });
    options.map_sqlx_postgres_pool_opts(move |pool| keep_free(pool, timeout));
    options
}

/// Times the limit of a statement: for so long a transaction may wait for its next one. Whoever is cut off from the server, or dies with
/// his machine, says no goodbye; without this what he has locked, an organisation's counter of events for one, would stay locked until
/// the server's kernel gives his connection up, which takes it two hours.
const ABANDONED: u32 = 5;

/// Whether nothing is open: only in a transaction that was begun before, the times differ.
const IS_FREE: &str = "SELECT statement_timestamp() = transaction_timestamp()";

/// A connection whose server fell silent is closed; without this the pool would wait for it for ever, and be one smaller. And so is one that
/// the server has in a transaction: of a BEGIN whose caller left before the answer the driver knows nothing, and whatever the connection
/// was given next would be answered and never committed.
fn keep_free(pool: PgPoolOptions, timeout: Duration) -> PgPoolOptions {
    pool.after_release(move |connection, _| {
        Box::pin(async move {
            match tokio::time::timeout(timeout, is_free(connection)).await {
                Ok(answer) => answer,
                Err(elapsed) => Err(SqlxError::Io(elapsed.into())),
            }
        })
    })
}

/// By the simple protocol, in which a statement has one time.
async fn is_free(connection: &mut PgConnection) -> Result<bool, SqlxError> {
    raw_sql(IS_FREE).fetch_one(connection).await?.try_get(0)
}
