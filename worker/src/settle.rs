//! How an attempt ends: the database first, which decides, then the queue, which is told.

use std::fmt;

use reelgate_common::{
    backends::Backends,
    db::Verdict,
    file::Failure,
    job::{AttemptOutcome, Fence, JobPolicy, JobRecord},
    queue::{Claim, QueueError, Settled},
};

use crate::patience::Patience;

/// Failures of one machine's limits; a second try may land on a larger one, a third will not. (A death of memory is not
/// among them: each run after it makes do with less.)
const RESOURCE_CODES: [&str; 2] = ["task_cpu_limit", "task_output_limit"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is published or refused, and the database knows.
    Finished,
    /// The rest is left to others, and the database knows.
    Split,
    Failed(Failure),
    /// We stopped it.
    Interrupted,
    /// A service was away for too long: handed back, counts for nothing.
    Away(String),
    Lost,
    Cancelled,
}

impl Outcome {
    pub(crate) fn kind(&self) -> AttemptOutcome {
        match self {
            Self::Finished => AttemptOutcome::Finished,
            Self::Split => AttemptOutcome::Split,
            Self::Failed(_) => AttemptOutcome::Failed,
            Self::Interrupted => AttemptOutcome::Interrupted,
            Self::Away(_) => AttemptOutcome::Away,
            Self::Lost => AttemptOutcome::Lost,
            Self::Cancelled => AttemptOutcome::Cancelled,
        }
    }

    /// Why it did not finish, where that is the file's or its task's doing.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(failure.clone()),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => write!(f, "failed ({}): {}", failure.code, failure.message),
            Self::Away(what) => write!(f, "away: {what}"),
            other => f.write_str(other.kind().as_str()),
        }
    }
}

/// Writes down how the attempt ended.
///
/// # Errors
/// The queue was not told; the database was, or will count the attempt as lost.
pub(crate) async fn settle(
    backends: &Backends,
    policy: &JobPolicy,
    patience: &Patience,
    claim: &Claim,
    job: &JobRecord,
    fence: &Fence,
    outcome: &Outcome,
) -> Result<Settled, QueueError> {
    let queue = &backends.queue;
    match outcome {
        Outcome::Finished | Outcome::Split | Outcome::Lost => queue.complete(claim).await,
        Outcome::Cancelled => {
            // The row is settled but for its worker's name, for which a purge waits.
            let stopped = patience.keep_trying("telling of a stop", || backends.db.interrupt_attempt(fence)).await;
            if let Err(error) = stopped {
                tracing::warn!(job.id = %fence.job_id, %error, "the database was not told of a stop; its lease will lapse");
            }
            queue.complete(claim).await
        }
        Outcome::Interrupted | Outcome::Away(_) => {
            let handed_back = patience.keep_trying("handing a job back", || backends.db.interrupt_attempt(fence)).await;
            if let Err(error) = handed_back {
                tracing::warn!(job.id = %fence.job_id, %error, "a job was not handed back; it will count as lost");
            }
            queue.release(claim).await
        }
        Outcome::Failed(failure) => {
            let failure = with_limit(failure, job);
            let jitter = rand::random();
            let verdict = patience
                .keep_trying("recording a failure", || backends.db.fail_attempt(fence, &failure, policy, jitter));
            match verdict.await {
                Ok(Verdict::Again(at)) => queue.retry(claim, at).await,
                Ok(Verdict::Dead) => queue.bury(claim, &format!("{}: {}", failure.code, failure.message)).await,
                // Another attempt decides, or the first answer was lost and the row is settled.
                Ok(Verdict::Stale) => queue.complete(claim).await,
                Err(error) => {
                    tracing::error!(job.id = %fence.job_id, %error, "a failure was not recorded; it will count as a loss");
                    queue.complete(claim).await
                }
            }
        }
    }
}

/// A task that ran out of a resource gets one more run, not all of them.
fn with_limit(failure: &Failure, job: &JobRecord) -> Failure {
    let spent = job.failures >= 1 && RESOURCE_CODES.contains(&failure.code.as_str());
    Failure { retryable: failure.retryable && !spent, ..failure.clone() }
}
