//! The queue in Redis: sorted sets and hashes, one Lua script per transition. Each script runs as a whole, reads the server's
//! clock and checks the lease token, so any number of gateways and workers may call at once.

mod connection;
mod leases;
mod rates;
mod scripts;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use redis::{FromRedisValue, ScriptInvocation, cmd};

use self::{
    connection::{Connection, is_wrong_type},
    leases::RedisLeases,
    rates::RedisBuckets,
    scripts::Scripts,
};
use super::{Beat, Claim, Depth, Entry, LeaseToken, Queue, QueueError, Settled, config::QueueConfig, fair::AGING_MS};
use crate::{
    ids::{JobId, ProcessId},
    lease::cache::SharedLeaseCache,
    rate::SharedBuckets,
    timestamp::Timestamp,
};

/// Entries per script call: a script stops the whole server while it runs.
const CHUNK: usize = 500;
/// Fits under the priority in the 53 bits of a score; milliseconds until the year 2109.
const MAX_RUN_AT: i64 = (1 << 42) - 1;
/// Redis rounds shorter waits down to none, and none means for ever.
const MIN_BLOCK: Duration = Duration::from_millis(10);
const MAX_REASON: usize = 1024;
pub struct RedisQueue {
    connection: Arc<Connection>,
    leases: SharedLeaseCache,
    buckets: SharedBuckets,
    scripts: Scripts,
    per_org: usize,
    eviction_checked: AtomicBool,
}

impl RedisQueue {
    /// Does not fail because Redis is away: work begins when it answers.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub async fn open(config: &QueueConfig) -> Result<Self, QueueError> {
        config.validate().map_err(QueueError::Unusable)?;
        let connection = Connection::new(config.url.expose(), Duration::from_millis(config.timeout_ms))
            .map_err(|error| QueueError::Unusable(format!("queue.url cannot be used: {:?}", error.kind())))?;
        let connection = Arc::new(connection);
        let leases = Arc::new(RedisLeases::new(connection.clone(), &config.prefix));
        let buckets = Arc::new(RedisBuckets::new(connection.clone(), &config.prefix));
        let scripts = Scripts::new(&config.prefix);
        let per_org = config.per_org;
        let eviction_checked = AtomicBool::new(false);
        let queue = Self { connection, leases, buckets, scripts, per_org, eviction_checked };
        if let Err(error) = queue.ping().await {
            tracing::warn!(%error, "Redis does not answer yet; jobs wait in the database until it does.");
        }
        Ok(queue)
    }

    /// Runs a transition. If somebody put a foreign type under one of our keys, it is moved aside once and the
    /// transition runs again.
    async fn run<T: FromRedisValue + Send>(&self, script: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        match self.connection.run(script).await {
            Err(QueueError::Garbled(message)) if is_wrong_type(&message) => {
                self.repair().await?;
                self.connection.run(script).await
            }
            answer => answer,
        }
    }

    async fn repair(&self) -> Result<(), QueueError> {
        let moved: u64 = self.connection.run(&self.scripts.repair()).await?;
        tracing::warn!(moved, "Keys of the queue held foreign data; they were moved aside.");
        Ok(())
    }

    async fn settle(&self, script: &ScriptInvocation<'_>) -> Result<Settled, QueueError> {
        Ok(if self.run(script).await? { Settled::Done } else { Settled::Lost })
    }

    async fn requeue(&self, claim: &Claim, run_at: i64) -> Result<Settled, QueueError> {
        self.settle(on(self.scripts.requeue(), claim).arg(run_at)).await
    }

    /// Evicted keys are lost work until the database refills them: say so, once.
    async fn check_eviction(&self) -> Result<(), QueueError> {
        if self.eviction_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let info: String = self.connection.probe(cmd("INFO").arg("memory")).await?;
        let policy = info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).unwrap_or("noeviction");
        if policy != "noeviction" {
            tracing::warn!(policy, "Redis may evict the queue's keys; set maxmemory-policy to noeviction.");
        }
        self.eviction_checked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn on<'s>(mut script: ScriptInvocation<'s>, claim: &Claim) -> ScriptInvocation<'s> {
    script.arg(claim.job_id.to_string()).arg(&claim.lease.0);
    script
}

/// Somebody else wrote into the queue, or memory was damaged. The database brings the jobs again.
fn say_buried(count: u64) {
    if count > 0 {
        metrics::counter!("reelgate_queue_malformed_total").increment(count);
        tracing::warn!(count, "malformed entries of the queue were moved to the dead letters");
    }
}

fn run_at(time: Timestamp) -> i64 {
    time.0.clamp(0, MAX_RUN_AT)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(MAX_RUN_AT).min(MAX_RUN_AT)
}

fn parse_job(text: &str) -> Result<JobId, QueueError> {
    text.parse().map_err(|_| QueueError::Garbled(format!("{text:?} is no job")))
}

/// The head of a text, cut between characters.
fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[async_trait]
impl Queue for RedisQueue {
    async fn enqueue(&self, entries: &[Entry]) -> Result<u64, QueueError> {
        let mut added = 0;
        for chunk in entries.chunks(CHUNK) {
            let mut script = self.scripts.enqueue();
            script.arg(self.per_org);
            for entry in chunk {
                script.arg(entry.job_id.to_string()).arg(entry.priority.min(100));
                script.arg(run_at(entry.run_at)).arg(entry.org_id.as_str()).arg(i32::from(entry.due));
            }
            added += self.run::<u64>(&script).await?;
        }
        Ok(added)
    }

    async fn claim(&self, worker: &ProcessId, lease: Duration) -> Result<Option<Claim>, QueueError> {
        let token = LeaseToken::random();
        let mut script = self.scripts.claim();
        script.arg(&token.0).arg(worker.as_str()).arg(millis(lease));
        let (job, buried): (Option<String>, u64) = self.run(&script).await?;
        say_buried(buried);
        job.map(|job| Ok(Claim { job_id: parse_job(&job)?, lease: token })).transpose()
    }

    async fn wait(&self, timeout: Duration) -> Result<(), QueueError> {
        let due: i64 = self.run(&self.scripts.due()).await?;
        let wait = match u64::try_from(due) {
            Ok(0) => return Ok(()),
            Ok(due) => timeout.min(Duration::from_millis(due)),
            Err(_) => timeout,
        };
        let wait = wait.max(MIN_BLOCK);
        let mut command = cmd("BLPOP");
        command.arg(self.scripts.wake_key()).arg(wait.as_secs_f64());
        match self.connection.block(&command, wait).await {
            Err(QueueError::Garbled(message)) if is_wrong_type(&message) => self.repair().await,
            answer => answer,
        }
    }

    async fn heartbeat(&self, claim: &Claim, lease: Duration) -> Result<Beat, QueueError> {
        match self.run::<u8>(on(self.scripts.heartbeat(), claim).arg(millis(lease))).await? {
            1 => Ok(Beat::Held),
            2 => Ok(Beat::Cancelled),
            _ => Ok(Beat::Lost),
        }
    }

    async fn restore(&self, claim: &Claim, entry: &Entry, lease: Duration) -> Result<Settled, QueueError> {
        let mut script = on(self.scripts.restore(), claim);
        script.arg("restored").arg(millis(lease));
        script.arg(entry.priority.min(100)).arg(run_at(entry.run_at)).arg(entry.org_id.as_str());
        self.settle(&script).await
    }

    async fn complete(&self, claim: &Claim) -> Result<Settled, QueueError> {
        self.settle(&on(self.scripts.complete(), claim)).await
    }

    async fn retry(&self, claim: &Claim, at: Timestamp) -> Result<Settled, QueueError> {
        self.requeue(claim, run_at(at)).await
    }

    async fn bury(&self, claim: &Claim, reason: &str) -> Result<Settled, QueueError> {
        self.settle(on(self.scripts.bury(), claim).arg(head(reason, MAX_REASON))).await
    }

    async fn release(&self, claim: &Claim) -> Result<Settled, QueueError> {
        self.requeue(claim, -AGING_MS).await
    }

    async fn cancel(&self, job: JobId) -> Result<bool, QueueError> {
        self.run(self.scripts.cancel().arg(job.to_string())).await
    }

    async fn reap(&self, limit: usize, longest: Duration) -> Result<Vec<JobId>, QueueError> {
        let (jobs, buried): (Vec<String>, u64) = self.run(self.scripts.reap().arg(limit).arg(millis(longest))).await?;
        say_buried(buried);
        jobs.iter().map(|job| parse_job(job)).collect()
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let (ready, delayed, leased, dead) = self.run(&self.scripts.depth()).await?;
        Ok(Depth { ready, delayed, leased, dead })
    }

    async fn ping(&self) -> Result<(), QueueError> {
        let _: String = self.connection.probe(&cmd("PING")).await?;
        self.check_eviction().await
    }

    fn service(&self) -> &'static str {
        "redis"
    }

    fn per_org(&self) -> usize {
        self.per_org
    }

    fn leases(&self) -> Option<SharedLeaseCache> {
        Some(self.leases.clone())
    }

    fn buckets(&self) -> Option<SharedBuckets> {
        Some(self.buckets.clone())
    }
}
