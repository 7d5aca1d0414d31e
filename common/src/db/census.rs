//! Figures for metrics.

use std::time::Duration;

use sea_orm::{FromQueryResult, Statement};

use super::{Census, Db, DbError, stuck::STUCK};

/// Each figure is read from an index of its own; `$1` is the time before which a transient file is stuck.
const FIGURES: &str = "
SELECT
    (SELECT count(*) FROM jobs WHERE state = 'dead') AS dead,
    (SELECT count(*) FROM files WHERE updated_at < $1 AND {stuck}) AS stuck";

#[derive(FromQueryResult)]
struct Figures {
    dead: i64,
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
            let values = [now.minus(stuck_after).0.into()];
            let query = Statement::from_sql_and_values(
                self.connection.get_database_backend(),
                FIGURES.replace("{stuck}", STUCK),
                values,
            );
            let figures = Figures::find_by_statement(query).one(&self.connection).await?;
            let figures = figures.ok_or_else(|| DbError::Garbled("the census gave no row".to_owned()))?;
            let count = |figure| u64::try_from(figure).unwrap_or_default();
            Ok(Census { dead_jobs: count(figures.dead), stuck_files: count(figures.stuck) })
        })
        .await
    }
}
