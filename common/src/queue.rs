//! The job queue: dispatch and leases. It is a hint that the database can refill, never the truth: losing all of it
//! delays work and loses none. The database fences results; the lease here keeps two workers from starting one job.
//!
//! Organisations take turns, however much each has waiting (`fair`). Within one, a job comes before another by its priority
//! and by how long it has waited, so that none starves.
//!
//! Jobs wait in lanes, and who claims says which of them it serves. Among those the order is the same as if they were one, so who serves
//! all of them knows nothing of lanes, and none starves another.
//!
//! Verbs: `enqueue` (idempotent), `claim`, `heartbeat`, then one of `complete`, `retry`, `bury`, `release`.

pub mod backoff;
pub mod config;
mod fair;
pub mod memory;
pub mod redis;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore;

use crate::{
    event::SharedSignals,
    ids::{JobId, OrgId, ProcessId},
    lane::{Lane, Lanes},
    lease::cache::SharedLeaseCache,
    rate::SharedBuckets,
    timestamp::Timestamp,
};

pub type SharedQueue = Arc<dyn Queue>;

/// Those whose calls went together share it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    #[error("the queue did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the queue is away")]
    Away(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The configuration cannot be used.
    #[error("{0}")]
    Unusable(String),
    #[error("the queue answered something that cannot be read: {0}")]
    Garbled(String),
}

impl QueueError {
    fn away(why: &str) -> Self {
        Self::Away(Box::<dyn std::error::Error + Send + Sync>::from(why).into())
    }
}

/// A job that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub job_id: JobId,
    pub org_id: OrgId,
    pub lane: Lane,
    /// 0 to 100, higher first; a point is worth a minute of waiting.
    pub priority: u8,
    /// Not before this; by the queue's clock, unless it is `due`.
    pub run_at: Timestamp,
    /// Its time has come, whatever the queue's clock says: whose clock that was is the caller's matter.
    pub due: bool,
}

/// A claimed job: proof of holding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub job_id: JobId,
    /// Where it waited, and waits again.
    pub lane: Lane,
    pub lease: LeaseToken,
}

/// Unguessable, new for each claim; every later verb is checked against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseToken(pub String);

impl LeaseToken {
    /// 128 bits of chance, in letters, digits, `-` and `_`.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Dead letters kept in the queue; the database keeps all.
const MAX_DEAD: usize = 10_000;

/// Answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Extended.
    Held,
    /// Extended, but somebody wants the job to stop.
    Cancelled,
    /// Somebody else holds it, or nobody knows it (the queue may have been wiped): ask the database.
    Lost,
}

/// Answer to a verb that ends a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// The lease was not held any more; nothing was changed.
    Lost,
}

/// How many entries lie where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    pub ready: u64,
    pub delayed: u64,
    pub leased: u64,
    pub dead: u64,
}

/// Opens the queue of the configured address: `memory:` or Redis.
///
/// # Errors
/// The configuration cannot be used. A Redis that is away is no error: work begins when it answers.
pub async fn open(config: &config::QueueConfig) -> Result<SharedQueue, QueueError> {
    if config.url.expose().starts_with("memory:") {
        config.validate().map_err(QueueError::Unusable)?;
        return Ok(Arc::new(memory::MemoryQueue::new(config.per_org)));
    }
    Ok(Arc::new(redis::RedisQueue::open(config).await?))
}

/// What a server that holds the queue says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Major and minor.
    pub version: (u32, u32),
    /// `noeviction`, or what it forgets when its memory is full.
    pub eviction: String,
    /// Its clock.
    pub clock: Timestamp,
}

#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Adds entries; one that is known already (waiting, delayed or leased) is left as it is, but an earlier `run_at`
    /// or a higher priority is taken over while it waits. What exceeds an organisation's room in a lane is left out: the dispatcher
    /// brings it when there is room. Returns how many were new.
    ///
    /// # Errors
    /// The queue is away; some entries may have been added.
    async fn enqueue(&self, entries: &[Entry]) -> Result<u64, QueueError>;

    /// Takes the first due entry in `lanes` of the organisation whose turn it is, and leases it.
    ///
    /// # Errors
    /// The queue is away.
    async fn claim(&self, worker: &ProcessId, lanes: Lanes, lease: Duration) -> Result<Option<Claim>, QueueError>;

    /// Returns when there may be something to claim in `lanes`, at the latest after `timeout`. A hint only.
    ///
    /// # Errors
    /// The queue is away.
    async fn wait(&self, lanes: Lanes, timeout: Duration) -> Result<(), QueueError>;

    /// Extends a lease.
    ///
    /// # Errors
    /// The queue is away; the lease goes on until it ends.
    async fn heartbeat(&self, claim: &Claim, lease: Duration) -> Result<Beat, QueueError>;

    /// Takes back a claim that a wiped queue has forgotten, after the database has confirmed it. `Lost` when somebody
    /// else holds the job.
    ///
    /// # Errors
    /// The queue is away.
    async fn restore(&self, claim: &Claim, entry: &Entry, lease: Duration) -> Result<Settled, QueueError>;

    /// The job needs no further run (done, cancelled, or the database says so).
    ///
    /// # Errors
    /// The queue is away; the lease will expire and the database will settle it.
    async fn complete(&self, claim: &Claim) -> Result<Settled, QueueError>;

    /// Another run, not before `run_at`. A job that was cancelled meanwhile is forgotten instead, here and at `release`.
    ///
    /// # Errors
    /// As `complete`.
    async fn retry(&self, claim: &Claim, run_at: Timestamp) -> Result<Settled, QueueError>;

    /// No further run: to the dead letters, with a reason. At most 10,000 of a lane are kept here; the database keeps all.
    ///
    /// # Errors
    /// As `complete`.
    async fn bury(&self, claim: &Claim, reason: &str) -> Result<Settled, QueueError>;

    /// Interrupted by us: due again at once, before its equals (by one point).
    ///
    /// # Errors
    /// As `complete`.
    async fn release(&self, claim: &Claim) -> Result<Settled, QueueError>;

    /// A waiting job is taken out, a leased one hears it at its next heartbeat. Whether the job was known.
    ///
    /// # Errors
    /// The queue is away.
    async fn cancel(&self, job: JobId) -> Result<bool, QueueError>;

    /// Takes out at most `limit` jobs whose lease has run out, and forgets them: the caller counts a Loss in the
    /// database, which brings them back. No lease lasts for longer than `longest`: one that says so was written before the queue's
    /// clock was set back.
    ///
    /// # Errors
    /// The queue is away.
    async fn reap(&self, limit: usize, longest: Duration) -> Result<Vec<JobId>, QueueError>;

    /// # Errors
    /// The queue is away.
    async fn depth(&self) -> Result<Depth, QueueError>;

    /// # Errors
    /// The queue is away.
    async fn ping(&self) -> Result<(), QueueError>;

    /// Forgets everything that lies under its prefix. For `reelgate bench`, which has a prefix of its own; a queue of one process ends with
    /// that.
    ///
    /// # Errors
    /// The queue is away.
    async fn forget(&self) -> Result<(), QueueError> {
        Ok(())
    }

    /// Tries to write into it, and says what it is; `None` for one of this process. For `reelgate check`.
    ///
    /// # Errors
    /// The queue is away, or refuses it.
    async fn examine(&self) -> Result<Option<Examined>, QueueError> {
        Ok(None)
    }

    /// What it is, for those who look for what is away.
    fn service(&self) -> &'static str;

    /// How many jobs of one organisation may be ready here in each lane.
    fn per_org(&self) -> usize;

    /// How processes tell each other what need not be kept.
    fn signals(&self) -> SharedSignals;

    /// Where gateways can remember playback leases together. A queue of one process has no such place.
    fn leases(&self) -> Option<SharedLeaseCache> {
        None
    }

    /// Where gateways can count the requests of callers together. As above.
    fn buckets(&self) -> Option<SharedBuckets> {
        None
    }
}
