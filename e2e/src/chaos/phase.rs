//! What a fault hit: whether its victim had work in hand, and which.

use std::{fmt, time::Duration};

use reelgate_common::{
    db::{Db, JobFilter, Reach},
    ids::OrgId,
    job::{JobRecord, JobState},
};
use tokio::time::timeout;

use super::{
    arena::Arena,
    clients::ORGS,
    fault::{Dial, Fault, GATEWAYS, Service, Strike, Victim},
    ledger::{Doing, Ledger},
};

/// The furthest that any work of the victim had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Idle,
    /// Jobs wait; nothing else goes on.
    Queued,
    Streaming,
    Uploading,
    /// A job is in hand and its child runs.
    Encoding,
    /// A job is in hand and no child runs: sources are fetched, results stored and published.
    Publishing,
}

impl Phase {
    /// Whether something was under way that had to be saved.
    #[must_use]
    pub fn is_in_flight(self) -> bool {
        self > Self::Queued
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Streaming => "streaming",
            Self::Uploading => "uploading",
            Self::Encoding => "encoding",
            Self::Publishing => "publishing",
        })
    }
}

/// Whom a fault reaches.
fn victims(fault: &Fault) -> Vec<Victim> {
    match *fault {
        Fault::Kill(victim) | Fault::Pause(victim) | Fault::Partition(victim, ..) | Fault::LostCommits(victim, _) => {
            vec![victim]
        }
        Fault::KillTask(worker) => vec![Victim::Worker(worker)],
        Fault::FullCache(gateway) => vec![Victim::Gateway(gateway)],
        Fault::Clock(Dial::Of(victim), _) => vec![victim],
        Fault::FullScratch => Victim::all().into_iter().skip(GATEWAYS).collect(),
        Fault::Flush | Fault::Restart(_) | Fault::Store(_) | Fault::Clock(Dial::Database | Dial::Redis, _) => {
            Victim::all()
        }
    }
}

pub(super) async fn of(arena: &Arena, ledger: &Ledger, strike: &Strike) -> Phase {
    let jobs = timeout(Duration::from_secs(1), jobs(arena)).await.ok().flatten().unwrap_or_default();
    let phases = victims(&strike.fault).into_iter().map(|victim| match victim {
        Victim::Gateway(at) => at_gateway(ledger, at, &strike.fault),
        Victim::Worker(at) => at_worker(arena, at, &jobs),
    });
    let queued = jobs.iter().any(|job| job.state == JobState::Queued).then_some(Phase::Queued);
    phases.chain(queued).max().unwrap_or(Phase::Idle)
}

fn at_gateway(ledger: &Ledger, at: usize, fault: &Fault) -> Phase {
    // Uploads and streams do not need Redis.
    let needs_no_gateway =
        matches!(fault, Fault::Flush | Fault::Restart(Service::Redis) | Fault::Clock(Dial::Redis, _));
    match () {
        () if needs_no_gateway => Phase::Idle,
        () if ledger.under_way(Doing::Upload, at) => Phase::Uploading,
        () if ledger.under_way(Doing::Stream, at) => Phase::Streaming,
        () => Phase::Idle,
    }
}

fn at_worker(arena: &Arena, at: usize, jobs: &[JobRecord]) -> Phase {
    let name = format!("worker-{}-", arena.pid(Victim::Worker(at)));
    let held = |job: &JobRecord| job.worker.as_ref().is_some_and(|worker| worker.starts_with(&name));
    match jobs.iter().any(|job| job.state == JobState::Running && held(job)) {
        true if arena.tasks(at).is_empty() => Phase::Publishing,
        true => Phase::Encoding,
        false => Phase::Idle,
    }
}

/// Those that wait or run; nothing while the database is away.
async fn jobs(arena: &Arena) -> Option<Vec<JobRecord>> {
    let db = arena.site.database().await.ok()?;
    let mut jobs = Vec::new();
    for org in ORGS {
        for state in [JobState::Queued, JobState::Running] {
            jobs.extend(in_state(&db, org, state).await?);
        }
    }
    db.close().await;
    Some(jobs)
}

async fn in_state(db: &Db, org: &str, state: JobState) -> Option<Vec<JobRecord>> {
    let filter = JobFilter { state: Some(state), limit: 200, ..JobFilter::default() };
    db.list_jobs(Reach::Org(&OrgId::new(org)), &filter).await.ok()
}
