//! The transitions that each job goes through, many at once (`gather.rs`): what is asked becomes the arguments of one script, and
//! its answer one for each.

use std::{sync::Arc, time::Duration};

use super::{
    gather::Batch,
    transitions::Transitions,
    values::{millis, parse_job, run_at},
};
use crate::{
    ids::ProcessId,
    lane::{Lane, Lanes},
    metric::QUEUE_MALFORMED,
    queue::{Beat, Claim, Entry, LeaseToken, QueueError, Settled},
};

/// Entries of one script: half a millisecond if each is of another organisation (docs/bench.md).
pub(super) const ARRIVALS: usize = 50;

pub(super) struct Arrivals {
    pub(super) transitions: Arc<Transitions>,
    pub(super) lane: Lane,
    pub(super) per_org: usize,
}

impl Batch for Arrivals {
    type Ask = Vec<Entry>;
    /// How many of them were new.
    type Answer = u64;

    const MOST: usize = ARRIVALS;

    fn weight(entries: &Vec<Entry>) -> usize {
        entries.len()
    }

    async fn run(&self, asks: &[Vec<Entry>]) -> Result<Vec<u64>, QueueError> {
        let mut script = self.transitions.scripts.enqueue(self.lane);
        script.arg(self.per_org);
        for entry in asks.iter().flatten() {
            script.arg(entry.job_id.to_string()).arg(entry.priority.min(100));
            script.arg(run_at(entry.run_at)).arg(entry.org_id.as_str()).arg(i32::from(entry.due));
        }
        let new: Vec<u64> = self.transitions.run(&script).await?;
        let mut new = new.into_iter();
        Ok(asks.iter().map(|entries| new.by_ref().take(entries.len()).sum()).collect())
    }
}

pub(super) struct Claims(pub(super) Arc<Transitions>);

pub(super) struct Wanted {
    pub(super) worker: ProcessId,
    pub(super) lanes: Lanes,
    pub(super) lease: Duration,
    pub(super) token: LeaseToken,
}

impl Batch for Claims {
    type Ask = Wanted;
    /// A job of its own for each, as far as there are.
    type Answer = Result<Option<Claim>, QueueError>;

    /// Half a millisecond if each is of another organisation, a third of that if they are of one.
    const MOST: usize = 25;

    /// One script for those who follow each other and serve the same lanes: all, in a process that is a worker. Those of a script that
    /// failed hear of it, others keep what they have got.
    async fn run(&self, asks: &[Wanted]) -> Result<Vec<Self::Answer>, QueueError> {
        let mut answers = Vec::new();
        for alike in asks.chunk_by(|one, other| one.lanes == other.lanes) {
            match self.claim(alike).await {
                Ok(claims) => answers.extend(claims),
                Err(error) => answers.extend(alike.iter().map(|_| Err(error.clone()))),
            }
        }
        Ok(answers)
    }
}

impl Claims {
    async fn claim(&self, asks: &[Wanted]) -> Result<Vec<<Self as Batch>::Answer>, QueueError> {
        let lanes = asks.first().map_or(Lanes::NONE, |wanted| wanted.lanes);
        let mut script = self.0.scripts.claim(lanes);
        for wanted in asks {
            script.arg(millis(wanted.lease)).arg(format!("{}|0|{}", wanted.token.0, wanted.worker.as_str()));
        }
        let (jobs, origins, buried): (Vec<String>, Vec<usize>, u64) = self.0.run(&script).await?;
        say_buried(buried);
        let mut jobs = jobs.iter().zip(origins);
        let claim = |wanted: &Wanted| -> <Self as Batch>::Answer {
            let Some((job, origin)) = jobs.next() else { return Ok(None) };
            let lane = origin.checked_sub(1).and_then(|at| lanes.iter().nth(at));
            let lane = lane.ok_or_else(|| QueueError::Garbled(format!("there is no lane {origin}")))?;
            Ok(Some(Claim { job_id: parse_job(job)?, lane, lease: wanted.token.clone() }))
        };
        Ok(asks.iter().map(claim).collect())
    }
}

/// Somebody else wrote into the queue, or memory was damaged. The database brings the jobs again.
pub(super) fn say_buried(count: u64) {
    if count > 0 {
        QUEUE_MALFORMED.counter().increment(count);
        tracing::warn!(count, "malformed entries of the queue were moved to the dead letters");
    }
}

pub(super) struct Beats {
    pub(super) transitions: Arc<Transitions>,
    pub(super) lane: Lane,
}

impl Batch for Beats {
    type Ask = (Claim, Duration);
    type Answer = Beat;

    const MOST: usize = 100;

    async fn run(&self, asks: &[(Claim, Duration)]) -> Result<Vec<Beat>, QueueError> {
        let mut script = self.transitions.scripts.heartbeat(self.lane);
        for (claim, lease) in asks {
            script.arg(claim.job_id.to_string()).arg(&claim.lease.0).arg(millis(*lease));
        }
        let beats: Vec<i64> = self.transitions.run(&script).await?;
        Ok(beats.into_iter().map(beat).collect())
    }
}

fn beat(answer: i64) -> Beat {
    match answer {
        1 => Beat::Held,
        2 => Beat::Cancelled,
        _ => Beat::Lost,
    }
}

pub(super) struct Ends {
    pub(super) transitions: Arc<Transitions>,
    pub(super) lane: Lane,
}

impl Batch for Ends {
    type Ask = Claim;
    type Answer = Settled;

    const MOST: usize = 100;

    async fn run(&self, asks: &[Claim]) -> Result<Vec<Settled>, QueueError> {
        let mut script = self.transitions.scripts.complete(self.lane);
        for claim in asks {
            script.arg(claim.job_id.to_string()).arg(&claim.lease.0);
        }
        let done: Vec<bool> = self.transitions.run(&script).await?;
        Ok(done.into_iter().map(|done| if done { Settled::Done } else { Settled::Lost }).collect())
    }
}
