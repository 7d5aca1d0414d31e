//! Looks what files have been watched for that somebody has watched lately, and has it made. What is queued the dispatch brings to the
//! workers, as everything that waits.

use super::{DutyError, Ground};

/// Files looked at in one turn.
const LIMIT: u64 = 500;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let db = &ground.backends.db;
    let mut queued = 0;
    for (org, file) in db.watched_files(LIMIT).await? {
        let wanted = db.earn(&org, file, &ground.earned).await?;
        if !wanted.is_empty() {
            tracing::info!(file.id = %file, names = wanted.join(", "), "a file has been watched for more renditions");
            queued += 1;
        }
    }
    db.prune_views(ground.earned.window()).await?;
    Ok(queued)
}
