//! Figures of the whole deployment, set by the leader: how much waits, and how much is stuck (must read zero).

use super::{DutyError, Ground};
use crate::gauge::set;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let census = ground.backends.db.census(ground.config.stuck_after()).await?;
    set("reelgate_stuck_files", census.stuck_files);
    set("reelgate_jobs_waiting", census.waiting_jobs);
    set("reelgate_jobs_running", census.running_jobs);
    set("reelgate_jobs_dead", census.dead_jobs);
    set("reelgate_jobs_oldest_wait_milliseconds", census.oldest_wait_ms);
    let deliveries = ground.backends.db.delivery_census().await?;
    set("reelgate_webhook_deliveries_waiting", deliveries.waiting);
    set("reelgate_webhook_oldest_wait_milliseconds", deliveries.oldest_wait_ms);
    let depth = ground.backends.queue.depth().await?;
    set("reelgate_queue_ready", depth.ready);
    set("reelgate_queue_delayed", depth.delayed);
    set("reelgate_queue_leased", depth.leased);
    Ok(0)
}
