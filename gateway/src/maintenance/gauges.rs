//! Figures of the whole deployment: how much waits, and how much is stuck (must read zero). Each gateway sets them, so that whichever is
//! asked knows them, and none goes on saying what was true when it led.

use reelgate_common::{
    lane::Lanes,
    metric::{
        FILES_MISSING_OBJECTS, JOBS_DEAD, MAINTENANCE_LEADER, ORPHAN_BYTES, QUEUE_DELAYED, QUEUE_LEASED, QUEUE_READY,
        STUCK_FILES, WEBHOOK_DELIVERIES_WAITING, WEBHOOK_OLDEST_WAIT,
    },
};

use super::{DutyError, Ground, Leader};
use crate::scaling::Scaling;

pub(super) async fn run(ground: Ground, leader: Leader) -> Result<u64, DutyError> {
    tell_office(&leader);
    let census = ground.backends.db.census(ground.config.stuck_after()).await?;
    STUCK_FILES.set(census.stuck_files);
    JOBS_DEAD.set(census.dead_jobs);
    let db = &ground.backends.db;
    let backlog = db.backlog(ground.policy.longest_wait()).await?;
    Scaling::of(&backlog, &db.worker_slots().await?, Lanes::ALL).tell();
    let deliveries = ground.backends.db.delivery_census().await?;
    WEBHOOK_DELIVERIES_WAITING.set(deliveries.waiting);
    WEBHOOK_OLDEST_WAIT.gauge().set(seconds(deliveries.oldest_wait_ms));
    let depth = ground.backends.queue.depth().await?;
    QUEUE_READY.set(depth.ready);
    QUEUE_DELAYED.set(depth.delayed);
    QUEUE_LEASED.set(depth.leased);
    Ok(0)
}

/// Of database and store compared, only who leads says anything. Whoever has led before must not go on saying it.
pub(super) fn tell_office(leader: &Leader) {
    let leads = leader.holds();
    MAINTENANCE_LEADER.set(u64::from(leads));
    if !leads {
        ORPHAN_BYTES.set(0);
        FILES_MISSING_OBJECTS.set(0);
    }
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}
