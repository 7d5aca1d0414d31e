//! The hint to the queue after a job was committed. The queue may be away: then the dispatcher finds the row.

use std::time::Duration;

use reelgate_common::{
    queue::{Entry, Queue},
    step,
};
use tracing::Instrument;

/// Nobody waits longer than this for the queue.
const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) async fn announce(queue: &dyn Queue, entry: Entry) {
    let job = entry.job_id;
    let entries = [entry];
    let telling = step!("announce", job.id = %job);
    let reason = match tokio::time::timeout(TIMEOUT, queue.enqueue(&entries)).instrument(telling).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(job.id = %job, reason, "the queue did not take a job; the dispatcher will bring it");
}
