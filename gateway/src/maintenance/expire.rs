//! Files whose time is over are deleted: they expire, or were in the trash for as long as they were to. Also gives names of rows that an
//! older build has written what they are searched by.

use reelgate_common::{
    db::{Removal, Removed},
    ids::{FileId, OrgId},
    job::JobState,
};

use super::{DutyError, Ground};

const LIMIT: u64 = 200;
/// Names that are folded in one transaction, and transactions in one turn.
const NAMES: u64 = 500;
const BATCHES: u64 = 20;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let mut ended = fold(&ground).await?;
    for (org, file) in ground.backends.db.ended_files(LIMIT).await? {
        ended += u64::from(end(&ground, &org, file).await?);
    }
    Ok(ended)
}

async fn fold(ground: &Ground) -> Result<u64, DutyError> {
    let mut folded = 0;
    for _ in 0..BATCHES {
        let batch = ground.backends.db.fold_names(NAMES).await?;
        folded += batch;
        if batch < NAMES {
            break;
        }
    }
    Ok(folded)
}

/// The database asks once more whether its time is over: somebody may have put it off, or taken it out of the trash.
async fn end(ground: &Ground, org: &OrgId, file: FileId) -> Result<bool, DutyError> {
    let backends = &ground.backends;
    let jobs = backends.db.jobs_of(org, file).await?;
    if backends.db.remove_file(org, file, Removal::Ending).await? == Removed::NoSuchFile {
        return Ok(false);
    }
    tracing::info!(file.id = %file, org = %org, "a file whose time was over was deleted");
    for job in jobs.iter().filter(|job| matches!(job.state, JobState::Queued | JobState::Running)) {
        // Its worker hears of it from the database as well.
        let _ = backends.queue.cancel(job.id).await;
    }
    Ok(true)
}
