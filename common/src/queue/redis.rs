//! The queue in Redis: sorted sets and hashes, one Lua script per transition. Each script runs as a whole, reads the server's
//! clock and checks the lease token, so any number of gateways and workers may call at once.

mod batches;
mod connection;
mod gather;
mod leases;
mod rates;
mod scripts;
mod signals;
mod transitions;
mod values;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use redis::{ScriptInvocation, cmd};

use self::{
    batches::{ARRIVALS, Arrivals, Beats, Claims, Ends, Wanted, say_buried},
    connection::{Connection, is_wrong_type},
    gather::Gather,
    leases::RedisLeases,
    rates::RedisBuckets,
    scripts::Scripts,
    signals::RedisSignals,
    transitions::Transitions,
    values::{head, millis, on, parse_job, run_at},
};
use super::{
    Beat, Claim, Depth, Entry, Examined, LeaseToken, Queue, QueueError, Settled, config::QueueConfig, fair::AGING_MS,
};
use crate::{
    event::SharedSignals,
    ids::{JobId, ProcessId},
    lane::{Lane, Lanes},
    lease::cache::SharedLeaseCache,
    rate::SharedBuckets,
    timestamp::Timestamp,
};

/// Redis rounds shorter waits down to none, and none means for ever.
const MIN_BLOCK: Duration = Duration::from_millis(10);
const MAX_REASON: usize = 1024;

/// What goes together must be of one lane, but for claims.
struct InLane {
    arrivals: Gather<Arrivals>,
    beats: Gather<Beats>,
    ends: Gather<Ends>,
}

impl InLane {
    fn new(transitions: &Arc<Transitions>, lane: Lane, per_org: usize) -> Self {
        let transitions = || transitions.clone();
        Self {
            arrivals: Gather::new(Arrivals { transitions: transitions(), lane, per_org }),
            beats: Gather::new(Beats { transitions: transitions(), lane }),
            ends: Gather::new(Ends { transitions: transitions(), lane }),
        }
    }
}

pub struct RedisQueue {
    transitions: Arc<Transitions>,
    claims: Gather<Claims>,
    /// In the order of `Lane::ALL`.
    lanes: Vec<InLane>,
    leases: SharedLeaseCache,
    buckets: SharedBuckets,
    signals: SharedSignals,
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
        let signals = Arc::new(RedisSignals::new(connection.clone(), &config.prefix));
        let transitions = Arc::new(Transitions { connection, scripts: Scripts::new(&config.prefix) });
        let per_org = config.per_org;
        let queue = Self {
            claims: Gather::new(Claims(transitions.clone())),
            lanes: Lane::ALL.iter().map(|lane| InLane::new(&transitions, *lane, per_org)).collect(),
            transitions,
            leases,
            buckets,
            signals,
            per_org,
            eviction_checked: AtomicBool::new(false),
        };
        if let Err(error) = queue.ping().await {
            tracing::warn!(%error, "Redis does not answer yet; jobs wait in the database until it does.");
        }
        Ok(queue)
    }

    fn of(&self, lane: Lane) -> &InLane {
        &self.lanes[lane as usize]
    }

    async fn settle(&self, script: &ScriptInvocation<'_>) -> Result<Settled, QueueError> {
        Ok(if self.transitions.run(script).await? { Settled::Done } else { Settled::Lost })
    }

    async fn requeue(&self, claim: &Claim, run_at: i64) -> Result<Settled, QueueError> {
        self.settle(on(self.transitions.scripts.requeue(claim.lane), claim).arg(run_at)).await
    }

    /// Evicted keys are lost work until the database refills them: say so, once.
    async fn check_eviction(&self) -> Result<(), QueueError> {
        if self.eviction_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let info: String = self.transitions.connection.probe(cmd("INFO").arg("memory")).await?;
        let policy = info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).unwrap_or("noeviction");
        if policy != "noeviction" {
            tracing::warn!(policy, "Redis may evict the queue's keys; set maxmemory-policy to noeviction.");
        }
        self.eviction_checked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl Queue for RedisQueue {
    async fn enqueue(&self, entries: &[Entry]) -> Result<u64, QueueError> {
        let mut added = 0;
        for lane in Lane::ALL {
            let of_lane: Vec<Entry> = entries.iter().filter(|entry| entry.lane == *lane).cloned().collect();
            for chunk in of_lane.chunks(ARRIVALS) {
                added += self.of(*lane).arrivals.ask(chunk.to_vec()).await?;
            }
        }
        Ok(added)
    }

    async fn claim(&self, worker: &ProcessId, lanes: Lanes, lease: Duration) -> Result<Option<Claim>, QueueError> {
        self.claims.ask(Wanted { worker: worker.clone(), lanes, lease, token: LeaseToken::random() }).await?
    }

    async fn wait(&self, lanes: Lanes, timeout: Duration) -> Result<(), QueueError> {
        let due: i64 = self.transitions.run(&self.transitions.scripts.due(lanes)).await?;
        let wait = match u64::try_from(due) {
            Ok(0) => return Ok(()),
            Ok(due) => timeout.min(Duration::from_millis(due)),
            Err(_) => timeout,
        };
        let wait = wait.max(MIN_BLOCK);
        let mut command = cmd("BLPOP");
        for lane in lanes.iter() {
            command.arg(self.transitions.scripts.wake_key(lane));
        }
        command.arg(wait.as_secs_f64());
        match self.transitions.connection.block(&command, wait).await {
            Err(QueueError::Garbled(message)) if is_wrong_type(&message) => self.transitions.repair().await,
            answer => answer,
        }
    }

    async fn heartbeat(&self, claim: &Claim, lease: Duration) -> Result<Beat, QueueError> {
        self.of(claim.lane).beats.ask((claim.clone(), lease)).await
    }

    async fn restore(&self, claim: &Claim, entry: &Entry, lease: Duration) -> Result<Settled, QueueError> {
        let mut script = on(self.transitions.scripts.restore(claim.lane), claim);
        script.arg("restored").arg(millis(lease));
        script.arg(entry.priority.min(100)).arg(run_at(entry.run_at)).arg(entry.org_id.as_str());
        self.settle(&script).await
    }

    async fn complete(&self, claim: &Claim) -> Result<Settled, QueueError> {
        self.of(claim.lane).ends.ask(claim.clone()).await
    }

    async fn retry(&self, claim: &Claim, at: Timestamp) -> Result<Settled, QueueError> {
        self.requeue(claim, run_at(at)).await
    }

    async fn bury(&self, claim: &Claim, reason: &str) -> Result<Settled, QueueError> {
        self.settle(on(self.transitions.scripts.bury(claim.lane), claim).arg(head(reason, MAX_REASON))).await
    }

    async fn release(&self, claim: &Claim) -> Result<Settled, QueueError> {
        self.requeue(claim, -AGING_MS).await
    }

    async fn cancel(&self, job: JobId) -> Result<bool, QueueError> {
        self.transitions.run(self.transitions.scripts.cancel(Lanes::ALL).arg(job.to_string())).await
    }

    async fn reap(&self, limit: usize, longest: Duration) -> Result<Vec<JobId>, QueueError> {
        let mut script = self.transitions.scripts.reap(Lanes::ALL);
        script.arg(limit).arg(millis(longest));
        let (jobs, buried): (Vec<String>, u64) = self.transitions.run(&script).await?;
        say_buried(buried);
        jobs.iter().map(|job| parse_job(job)).collect()
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let (ready, delayed, leased, dead) = self.transitions.run(&self.transitions.scripts.depth(Lanes::ALL)).await?;
        Ok(Depth { ready, delayed, leased, dead })
    }

    async fn ping(&self) -> Result<(), QueueError> {
        let _: String = self.transitions.connection.probe(&cmd("PING")).await?;
        self.check_eviction().await
    }

    async fn forget(&self) -> Result<(), QueueError> {
        let (connection, scripts) = (&self.transitions.connection, &self.transitions.scripts);
        for lane in Lane::ALL {
            let orgs: Vec<String> = connection.ask(cmd("ZRANGE").arg(scripts.orgs_key(*lane)).arg(0).arg(-1)).await?;
            let of_orgs = orgs.iter().map(|org| scripts.ready_key(*lane, org));
            for key in scripts.keys(*lane).iter().cloned().chain(of_orgs) {
                let _: u64 = connection.ask(cmd("DEL").arg(key)).await?;
            }
        }
        Ok(())
    }

    async fn examine(&self) -> Result<Option<Examined>, QueueError> {
        let connection = &self.transitions.connection;
        let key = format!("{}:check", self.transitions.scripts.wake_key(Lane::Small));
        let _: String = connection.probe(cmd("SET").arg(&key).arg(1).arg("PX").arg(1_000)).await?;
        let _: u64 = connection.probe(cmd("DEL").arg(&key)).await?;
        let (seconds, micros): (i64, i64) = connection.probe(&cmd("TIME")).await?;
        let info: String = connection.probe(&cmd("INFO")).await?;
        let of = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let mut numbers = of("redis_version").unwrap_or("0").split('.').map(|part| part.parse().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let eviction = of("maxmemory_policy").unwrap_or("noeviction").to_owned();
        Ok(Some(Examined { version, eviction, clock: Timestamp(seconds * 1_000 + micros / 1_000) }))
    }

    fn service(&self) -> &'static str {
        "redis"
    }

    fn per_org(&self) -> usize {
        self.per_org
    }

    fn signals(&self) -> SharedSignals {
        self.signals.clone()
    }

    fn leases(&self) -> Option<SharedLeaseCache> {
        Some(self.leases.clone())
    }

    fn buckets(&self) -> Option<SharedBuckets> {
        Some(self.buckets.clone())
    }
}
