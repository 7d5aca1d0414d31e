//! Jobs as dispatcher and reaper see them: what waits, and what has fallen silent.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement,
    prelude::Uuid, sea_query::Expr,
};

use super::{
    Db, DbError, DueJob, SilentJob,
    entity::{jobs, signed},
};
use crate::{
    ids::{FileId, JobId, OrgId},
    job::{JobPolicy, JobRecord},
    lane::Lane,
    timestamp::Timestamp,
};

/// The lanes in which anything waits, by their words: also those that only a newer build knows.
const WAITING_LANES: &str = "
WITH RECURSIVE waiting (lane) AS (
    SELECT (SELECT min(lane) FROM jobs {by_index} WHERE state = 'queued')
    UNION ALL
    SELECT (SELECT min(lane) FROM jobs {by_index} WHERE state = 'queued' AND lane > waiting.lane)
    FROM waiting WHERE waiting.lane IS NOT NULL
)
SELECT lane FROM waiting WHERE lane IS NOT NULL";

/// The organisations that wait in a lane, found by one index step each, then the first few jobs of each by the same index
/// (`jobs_laned`, put in for `{by_index}` where it must be named). A window function would read every waiting job.
const WAITING_ORGS: &str = "
WITH RECURSIVE waiting (org_id) AS (
    SELECT (SELECT min(org_id) FROM jobs {by_index} WHERE state = 'queued' AND lane = $5)
    UNION ALL
    SELECT (SELECT min(org_id) FROM jobs {by_index} WHERE state = 'queued' AND lane = $5 AND org_id > waiting.org_id)
    FROM waiting WHERE waiting.org_id IS NOT NULL
)";

const DUE_POSTGRES: &str = "
SELECT due.id, due.org_id, due.priority, due.next_attempt_at
FROM waiting CROSS JOIN LATERAL (
    SELECT id, org_id, priority, next_attempt_at FROM jobs
    WHERE state = 'queued' AND lane = $5 AND org_id = waiting.org_id AND (next_attempt_at <= $1 OR next_attempt_at > $4)
    ORDER BY (next_attempt_at - priority * 60000), id LIMIT $2
) due
{in_turns}";

/// SQLite has no LATERAL; there CROSS JOIN fixes the order of the loops, and the index must be named: without figures
/// about the data it takes another, and sorts all that waits.
const DUE_SQLITE: &str = "
SELECT due.id, due.org_id, due.priority, due.next_attempt_at
FROM waiting CROSS JOIN jobs due ON due.id IN (
    SELECT id FROM jobs INDEXED BY jobs_laned
    WHERE state = 'queued' AND lane = $5 AND org_id = waiting.org_id AND (next_attempt_at <= $1 OR next_attempt_at > $4)
    ORDER BY (next_attempt_at - priority * 60000), id LIMIT $2
)
{in_turns}";

/// The first of each organisation, then the second of each: however much one has waiting, the limit cuts off no other.
const IN_TURNS: &str = "
ORDER BY row_number() OVER (PARTITION BY due.org_id ORDER BY (due.next_attempt_at - due.priority * 60000), due.id),
    (due.next_attempt_at - due.priority * 60000), due.id LIMIT $3";

#[derive(FromQueryResult)]
struct LaneRow {
    lane: String,
}

#[derive(FromQueryResult)]
struct DueRow {
    id: Uuid,
    org_id: String,
    priority: i32,
    next_attempt_at: i64,
}

impl Db {
    /// Running jobs without a heartbeat for `silent`, by the database's clock. One further ahead than that is of before a step
    /// of the clock: whoever lives has been heard of since, if the caller has listened.
    ///
    /// # Errors
    /// The database is away.
    pub async fn silent_jobs(&self, silent: Duration, limit: u64) -> Result<Vec<SilentJob>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let (since, ahead) = (now.minus(silent), now.plus(silent));
            let rows: Vec<(Uuid, i64)> = jobs::Entity::find()
                .select_only()
                .columns([jobs::Column::Id, jobs::Column::Attempt])
                .filter(Expr::cust(jobs::RUNNING))
                .filter(
                    Condition::any()
                        .add(jobs::Column::HeartbeatAt.lte(since.0))
                        .add(jobs::Column::HeartbeatAt.gt(ahead.0)),
                )
                .order_by_asc(jobs::Column::HeartbeatAt)
                .limit(limit)
                .into_tuple()
                .all(&self.connection)
                .await?;
            Ok(rows.into_iter().map(|(id, attempt)| SilentJob { id: JobId(id), attempt }).collect())
        })
        .await
    }

    /// Queued jobs due within `horizon`, lane by lane, at most `limit` of each: one that nobody serves holds up no other. In a lane
    /// organisation by organisation in turns, at most `per_org` of one; of each first what has waited for longest, a point of
    /// priority being worth a minute. What is put off for longer than the policy knows was put off before the clock was set back,
    /// and is due.
    ///
    /// # Errors
    /// The database is away.
    pub async fn due_jobs(
        &self,
        horizon: Duration,
        policy: &JobPolicy,
        limit: u64,
        per_org: u64,
    ) -> Result<Vec<DueJob>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let (until, latest) = (now.plus(horizon), now.plus(policy.longest_wait()));
            let backend = self.connection.get_database_backend();
            let (by_index, due) = match backend {
                DbBackend::Sqlite => ("INDEXED BY jobs_laned", DUE_SQLITE),
                _ => ("", DUE_POSTGRES),
            };
            let lanes = Statement::from_string(backend, WAITING_LANES.replace("{by_index}", by_index));
            let sql = WAITING_ORGS.replace("{by_index}", by_index) + &due.replace("{in_turns}", IN_TURNS);
            let mut jobs = Vec::new();
            for LaneRow { lane } in LaneRow::find_by_statement(lanes).all(&self.connection).await? {
                let known = jobs::lane(&lane);
                let bounds = [until.0.into(), signed(per_org).into(), signed(limit).into(), latest.0.into()];
                let query = Statement::from_sql_and_values(backend, &sql, bounds.into_iter().chain([lane.into()]));
                for row in DueRow::find_by_statement(query).all(&self.connection).await? {
                    let due = row.next_attempt_at <= now.0 || row.next_attempt_at > latest.0;
                    jobs.push(row.into_due(known, due)?);
                }
            }
            Ok(jobs)
        })
        .await
    }

    /// A file's jobs, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn jobs_of(&self, org: &OrgId, file: FileId) -> Result<Vec<JobRecord>, DbError> {
        let query = jobs::Entity::find()
            .filter(jobs::Column::FileId.eq(file.0))
            .filter(jobs::Column::OrgId.eq(org.as_str()))
            .order_by_desc(jobs::Column::Id);
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter().map(jobs::Model::into_record).collect()
    }
}

impl DueRow {
    fn into_due(self, lane: Lane, due: bool) -> Result<DueJob, DbError> {
        let priority = u8::try_from(self.priority).map_err(|error| DbError::Garbled(error.to_string()))?;
        Ok(DueJob {
            id: JobId(self.id),
            org_id: OrgId::new(self.org_id),
            lane,
            priority,
            run_at: Timestamp(self.next_attempt_at),
            due,
        })
    }
}
