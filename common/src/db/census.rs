//! Figures for readiness and metrics.

use std::time::Duration;

use sea_orm::{FromQueryResult, Statement};

use super::{Census, Db, DbError, stuck::STUCK};

/// Each figure is read from an index of its own; `$1` is now, `$2` the time before which a transient file is stuck.
const FIGURES: &str = "
SELECT
    (SELECT count(*) FROM jobs WHERE state = 'queued') AS waiting,
    (SELECT count(*) FROM jobs WHERE state = 'running') AS running,
    (SELECT count(*) FROM jobs WHERE state = 'dead') AS dead,
    (SELECT min(next_attempt_at) FROM jobs WHERE state = 'queued' AND next_attempt_at <= $1) AS oldest,
    (SELECT count(*) FROM files WHERE updated_at < $2 AND {stuck}) AS stuck";

#[derive(FromQueryResult)]
struct Figures {
    waiting: i64,
    running: i64,
    dead: i64,
    oldest: Option<i64>,
    stuck: i64,
}

#[derive(FromQueryResult)]
struct Waiting {
    waiting: i64,
}

impl Db {
    /// How many jobs wait for a worker, of all organisations.
    ///
    /// # Errors
    /// The database is away.
    pub async fn waiting_jobs(&self) -> Result<u64, DbError> {
        self.in_time(async {
            let sql = "SELECT count(*) AS waiting FROM jobs WHERE state = 'queued'";
            let query = Statement::from_string(self.connection.get_database_backend(), sql);
            let waiting = Waiting::find_by_statement(query).one(&self.connection).await?;
            Ok(waiting.map_or(0, |row| u64::try_from(row.waiting).unwrap_or_default()))
        })
        .await
    }

    /// # Errors
    /// The database is away.
    pub async fn census(&self, stuck_after: Duration) -> Result<Census, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let values = [now.0.into(), now.minus(stuck_after).0.into()];
            let query = Statement::from_sql_and_values(
                self.connection.get_database_backend(),
                FIGURES.replace("{stuck}", STUCK),
                values,
            );
            let figures = Figures::find_by_statement(query).one(&self.connection).await?;
            let figures = figures.ok_or_else(|| DbError::Garbled("the census gave no row".to_owned()))?;
            let count = |figure| u64::try_from(figure).unwrap_or_default();
            Ok(Census {
                waiting_jobs: count(figures.waiting),
                running_jobs: count(figures.running),
                dead_jobs: count(figures.dead),
                oldest_wait_ms: count(now.0 - figures.oldest.unwrap_or(now.0)),
                stuck_files: count(figures.stuck),
            })
        })
        .await
    }
}
