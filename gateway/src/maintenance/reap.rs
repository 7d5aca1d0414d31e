//! Finds workers that have died. The queue forgets leases that ran out; only the database says that a worker is lost.
//!
//! A lease that ran out in the queue proves nothing: Redis may have been away while the worker went on and said so to the
//! database. So a Loss is counted for jobs that are silent in the database, and a worker whose entry was forgotten here
//! takes it back.

use std::time::Duration;

use reelgate_common::db::Verdict;

use super::{DutyError, Ground};

const LIMIT: usize = 500;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    // First the database: it must heal also while the queue is away.
    let lost = lose_silent(&ground).await?;
    // Workers may have other settings: nobody's lease is twice as long.
    let longest = Duration::from_millis(ground.policy.lease_ms).saturating_mul(2);
    while ground.backends.queue.reap(LIMIT, longest).await?.len() == LIMIT {}
    Ok(lost)
}

async fn lose_silent(ground: &Ground) -> Result<u64, DutyError> {
    let db = &ground.backends.db;
    let mut lost = 0;
    for job in db.silent_jobs(Duration::from_millis(ground.policy.lease_ms), LIMIT as u64).await? {
        let verdict = db.lose_attempt(job.id, Some(job.attempt), &ground.policy, rand::random()).await?;
        if verdict != Verdict::Stale {
            tracing::warn!(job.id = %job.id, attempt = job.attempt, ?verdict, "a worker was lost");
            lost += 1;
        }
    }
    Ok(lost)
}
