//! Many jobs and workers that die all the time: fault 15 of docs/faults.md. The workers are claims, attempts and silence, without any
//! work, so that thousands of jobs take seconds (`CHAOS_JOBS` makes it more of them); who finds the dead and fills the queue again is
//! a real gateway.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "the figures of a long run are wanted")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use reelgate_common::{
    config::Secret,
    db::{Db, Fenced, NewFile, NewJob, NotBegun, StagedFile},
    file::{FileKind, FileState},
    ids::{FileId, JobId, OrgId, ProcessId, UserId},
    job::{DEFAULT_PRIORITY, Fence, JobKind, JobPolicy, JobState},
    key::Key,
    lane::Lanes,
    queue::{self, Claim, SharedQueue, config::QueueConfig},
};
use reelgate_e2e::site::{Footing, Site};
use tokio::task::JoinSet;

const ORGS: [&str; 3] = ["acme", "globex", "initech"];
const WORKERS: usize = 8;
/// Every so many turns of a worker are its last: half of them before the attempt has begun, half after it.
const TURNS: usize = 13;
/// That of the gateway.
const LEASE: Duration = Duration::from_secs(3);

struct Crowd {
    db: Db,
    queue: SharedQueue,
    policy: JobPolicy,
    wanted: usize,
    /// By how many attempts each was finished.
    finished: Mutex<HashMap<JobId, usize>>,
    /// Attempts whose worker died.
    died: Mutex<Vec<Fence>>,
    turns: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_jobs_each_has_one_result_however_many_workers_die() -> Result<()> {
    let wanted = std::env::var("CHAOS_JOBS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let mut site = Site::builder(Footing::Production).workers(0).start().await?;
    let db = site.database().await?;
    let url = Secret::new(site.services()?.redis.url());
    let queue = queue::open(&QueueConfig { url, timeout_ms: 30_000, ..QueueConfig::default() }).await?;
    let policy = JobPolicy { lease_ms: 3_000, heartbeat_ms: 500, ..JobPolicy::default() };
    let policy = JobPolicy { max_losses: 1_000, backoff_base_ms: 100, backoff_max_ms: 1_000, ..policy };
    let (finished, died, turns) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
    let crowd = Arc::new(Crowd { db, queue, policy, wanted, finished, died, turns });
    let mut files = Vec::new();
    for n in 0..wanted {
        files.push(crowd.upload(ORGS[n % ORGS.len()]).await?);
    }
    let mut workers = JoinSet::new();
    for n in 0..WORKERS {
        workers.spawn(crowd.clone().live(n));
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    crowd.each_has_one_result(&files).await
}

impl Crowd {
    /// Waits in the database; a gateway brings it to the queue.
    async fn upload(&self, org: &str) -> Result<(OrgId, FileId)> {
        let (file, org) = (FileId::new(), OrgId::new(org));
        let new = NewFile {
            id: file,
            org_id: org.clone(),
            owner_id: UserId::new("alice"),
            location: format!("2026/11/{file}/clip.mp4"),
            filename: "clip.mp4".to_owned(),
            staging_key: Key::Staging { org: org.clone(), file },
            repeat_key: None,
            labels: reelgate_common::labels::Labels::default(),
        };
        self.db.create_file(&new).await?;
        let job = NewJob { id: JobId::new(), kind: JobKind::Process, priority: DEFAULT_PRIORITY };
        let staged = StagedFile {
            size_bytes: 1,
            sha256: String::new(),
            content_type: "video/mp4".to_owned(),
            kind: FileKind::Video,
            state: FileState::Staged,
            version: None,
        };
        self.db.stage_file(&org, file, &staged, Some(&job)).await?.context("was not staged")?;
        Ok((org, file))
    }

    /// One after another in the same place, as a supervisor would start them.
    async fn live(self: Arc<Self>, place: usize) -> Result<()> {
        let mut life = 0;
        while self.finished.lock().unwrap().len() < self.wanted {
            let worker = ProcessId::new(format!("w{place}-{life}"));
            match self.queue.claim(&worker, Lanes::ALL, LEASE).await? {
                Some(claim) => life += usize::from(!self.turn(&worker, claim).await?),
                None => self.queue.wait(Lanes::ALL, Duration::from_millis(200)).await?,
            }
        }
        Ok(())
    }

    /// Whether the worker has lived through it.
    async fn turn(&self, worker: &ProcessId, claim: Claim) -> Result<bool> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let (dies, begins) = (turn.is_multiple_of(TURNS), turn.is_multiple_of(2 * TURNS));
        if dies && !begins {
            return Ok(false);
        }
        let attempt = match self.db.begin_attempt(claim.job_id, worker, &self.policy).await? {
            Ok(attempt) => attempt,
            Err(NotBegun::NotDue(at)) => return Ok(self.queue.retry(&claim, at).await.map(|_| true)?),
            Err(_) => return Ok(self.queue.complete(&claim).await.map(|_| true)?),
        };
        if dies {
            self.died.lock().unwrap().push(attempt.fence);
            return Ok(false);
        }
        if self.db.finish_job(&attempt.fence).await? == Fenced::Written {
            *self.finished.lock().unwrap().entry(claim.job_id).or_default() += 1;
        }
        self.queue.complete(&claim).await?;
        Ok(true)
    }

    async fn each_has_one_result(&self, files: &[(OrgId, FileId)]) -> Result<()> {
        let (finished, died) = (self.finished.lock().unwrap().clone(), self.died.lock().unwrap().clone());
        assert!(!died.is_empty(), "nobody has died");
        for fence in &died {
            assert_eq!(self.db.finish_job(fence).await?, Fenced::Stale, "whoever comes back has nothing to say");
        }
        let (mut losses, mut waits) = (Vec::new(), Vec::new());
        for (org, file) in files {
            let job = self.db.jobs_of(org, *file).await?.remove(0);
            let deaths = died.iter().filter(|fence| fence.job_id == job.id).count();
            assert_eq!(finished.get(&job.id), Some(&1), "{job:?}");
            assert_eq!((job.state, job.losses, job.failures), (JobState::Done, i32::try_from(deaths)?, 0), "{job:?}");
            assert_eq!(job.attempt, i64::from(job.losses) + 1, "{job:?}");
            losses.push(job.losses);
            waits.push(job.finished_at.map_or(0, |at| at.0 - job.created_at.0));
        }
        losses.sort_unstable();
        waits.sort_unstable();
        let (jobs, turns) = (files.len(), self.turns.load(Ordering::Relaxed));
        println!(
            "{jobs} jobs, {turns} claims, {} attempts lost with their worker ({:?} jobs lost none, at most {:?} of one), as many workers \
             died before they had begun; from upload to end {:?} ms at the median, {:?} at most",
            died.len(),
            losses.iter().filter(|losses| **losses == 0).count(),
            losses.last().unwrap(),
            waits[jobs / 2],
            waits.last().unwrap(),
        );
        Ok(())
    }
}
