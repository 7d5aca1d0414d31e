//! What waits for workers and what they hold, by lane, kind and priority: what decides how many workers there should be.

use std::time::Duration;

use sea_orm::{FromQueryResult, Statement};

use super::{Backlog, Db, DbError, entity::jobs};

/// `$1` is now. What is put off further than `$2` was put off before the clock was set back, and is due (`jobs.rs`).
const BACKLOG: &str = "
SELECT lane, CASE WHEN kind LIKE 'chunk/%' THEN 'chunk' ELSE kind END AS kind, priority,
    sum(CASE WHEN state = 'queued' AND (next_attempt_at <= $1 OR next_attempt_at > $2) THEN 1 ELSE 0 END) AS waiting,
    sum(CASE WHEN state = 'queued' AND next_attempt_at > $1 AND next_attempt_at <= $2 THEN 1 ELSE 0 END) AS delayed,
    sum(CASE WHEN state = 'running' THEN 1 ELSE 0 END) AS running,
    min(CASE WHEN state = 'queued' AND next_attempt_at <= $1 THEN next_attempt_at END) AS oldest
FROM jobs WHERE state = 'queued' OR state = 'running'
GROUP BY 1, 2, 3 ORDER BY 3 DESC, 2, 1";

#[derive(FromQueryResult)]
struct Row {
    lane: String,
    kind: String,
    priority: i32,
    waiting: i64,
    delayed: i64,
    running: i64,
    oldest: Option<i64>,
}

impl Db {
    /// The highest priority first; what neither waits nor runs is left out. Of all organisations. `longest` is how long a job is
    /// ever put off.
    ///
    /// # Errors
    /// The database is away.
    pub async fn backlog(&self, longest: Duration) -> Result<Vec<Backlog>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let values = [now.0.into(), now.plus(longest).0.into()];
            let query = Statement::from_sql_and_values(self.connection.get_database_backend(), BACKLOG, values);
            let rows = Row::find_by_statement(query).all(&self.connection).await?;
            let count = |figure| u64::try_from(figure).unwrap_or_default();
            let read = |row: Row| {
                Ok(Backlog {
                    lane: jobs::lane(&row.lane),
                    kind: row.kind.parse().map_err(|error| DbError::Garbled(format!("a job: {error}")))?,
                    priority: u8::try_from(row.priority).unwrap_or_default(),
                    waiting: count(row.waiting),
                    delayed: count(row.delayed),
                    running: count(row.running),
                    oldest_wait_ms: row.oldest.map_or(0, |oldest| count(now.0 - oldest)),
                })
            };
            rows.into_iter().map(read).collect()
        })
        .await
    }
}
