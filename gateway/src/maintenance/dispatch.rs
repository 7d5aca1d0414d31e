//! Brings due jobs from the database to the queue. The queue ignores those it knows, so this also refills one that has
//! lost everything, repairs what a gateway could not enqueue after an upload, and brings what there was no room for: of one
//! organisation the queue takes `queue.per_org`, the rest waits in the database.

use std::time::Duration;

use reelgate_common::queue::Entry;

use super::{DutyError, Ground};

/// Delayed jobs go to the queue this long before they are due.
const HORIZON: Duration = Duration::from_secs(30);

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let config = &ground.config;
    let queue = &ground.backends.queue;
    let per_org = u64::try_from(queue.per_org()).unwrap_or(u64::MAX);
    let due = ground.backends.db.due_jobs(HORIZON, &ground.policy, config.dispatch_limit, per_org).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let entries: Vec<Entry> = due.into_iter().map(Entry::from).collect();
    Ok(queue.enqueue(&entries).await?)
}
