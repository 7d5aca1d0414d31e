//! The in-process queue of `reelgate all`. The same rules as in Redis, held in ordered sets under one lock; nothing in it
//! waits, so the lock is never held across an await.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::Instant};

use super::{
    Beat, Claim, Depth, Entry, LeaseToken, MAX_DEAD, Queue, QueueError, Settled,
    fair::{AGING_MS, Fair},
};
use crate::{
    event::{LocalSignals, SharedSignals},
    ids::{JobId, ProcessId},
    lane::{Lane, Lanes},
    timestamp::Timestamp,
};

pub struct MemoryQueue {
    per_org: usize,
    state: Mutex<State>,
    changed: Notify,
    signals: Arc<LocalSignals>,
}

#[derive(Default)]
struct State {
    jobs: HashMap<JobId, Known>,
    ready: Fair,
    delayed: BTreeMap<Lane, BTreeSet<(Timestamp, JobId)>>,
    /// Ends of leases, by the monotonic clock: a stepped system clock must end none.
    leases: BTreeSet<(Instant, JobId)>,
    dead: VecDeque<(JobId, String)>,
}

struct Known {
    entry: Entry,
    /// `None` while it waits.
    held: Option<Held>,
}

struct Held {
    token: LeaseToken,
    until: Instant,
    cancelled: bool,
}

impl State {
    fn place(&mut self, entry: &Entry, now: Timestamp) {
        if entry.run_at <= now {
            self.ready.insert(entry);
        } else {
            self.delayed.entry(entry.lane).or_default().insert((entry.run_at, entry.job_id));
        }
    }

    fn unplace(&mut self, entry: &Entry) {
        self.ready.remove(entry);
        self.undelay(entry);
    }

    fn undelay(&mut self, entry: &Entry) {
        self.delayed.entry(entry.lane).or_default().remove(&(entry.run_at, entry.job_id));
    }

    fn promote(&mut self, now: Timestamp) {
        for delayed in self.delayed.values_mut() {
            while let Some(&(run_at, job)) = delayed.first()
                && run_at <= now
            {
                delayed.pop_first();
                if let Some(known) = self.jobs.get(&job) {
                    self.ready.insert(&known.entry);
                }
            }
        }
    }

    /// Whether it was new.
    fn enqueue(&mut self, wanted: &Entry, now: Timestamp, per_org: usize) -> bool {
        let run_at = if wanted.due { wanted.run_at.min(now) } else { wanted.run_at };
        let wanted = &Entry { run_at, ..wanted.clone() };
        let Some(known) = self.jobs.get_mut(&wanted.job_id) else {
            if self.ready.of(wanted.lane, &wanted.org_id) >= per_org {
                return false;
            }
            self.dead.retain(|(job, _)| *job != wanted.job_id);
            self.place(wanted, now);
            self.jobs.insert(wanted.job_id, Known { entry: wanted.clone(), held: None });
            return true;
        };
        if known.held.is_none() {
            let before = known.entry.clone();
            known.entry.priority = before.priority.max(wanted.priority);
            known.entry.run_at = before.run_at.min(wanted.run_at);
            let after = known.entry.clone();
            // What is brought again and again must not line up anew each time, it would never come. In before out, so that its
            // organisation keeps the turn that it has.
            if (after.priority, after.run_at) != (before.priority, before.run_at) {
                self.undelay(&before);
                self.place(&after, now);
                self.ready.remove(&before);
            }
        }
        false
    }

    fn lease(&mut self, job: JobId, token: &LeaseToken, lease: Duration) {
        if let Some(known) = self.jobs.get_mut(&job) {
            let until = Instant::now() + lease;
            known.held = Some(Held { token: token.clone(), until, cancelled: false });
            self.leases.insert((until, job));
        }
    }

    fn extend(&mut self, claim: &Claim, lease: Duration) -> Beat {
        let Some(held) = self.jobs.get_mut(&claim.job_id).and_then(|known| known.held.as_mut()) else {
            return Beat::Lost;
        };
        if held.token != claim.lease {
            return Beat::Lost;
        }
        self.leases.remove(&(held.until, claim.job_id));
        held.until = Instant::now() + lease;
        self.leases.insert((held.until, claim.job_id));
        if held.cancelled { Beat::Cancelled } else { Beat::Held }
    }

    /// Ends a claim and takes the job out; `None` when it is not held by this claim.
    fn take(&mut self, claim: &Claim) -> Option<(Entry, Held)> {
        let held = self.jobs.get(&claim.job_id)?.held.as_ref()?;
        if held.token != claim.lease {
            return None;
        }
        self.leases.remove(&(held.until, claim.job_id));
        let known = self.jobs.remove(&claim.job_id)?;
        Some((known.entry, known.held?))
    }

    fn requeue(&mut self, claim: &Claim, run_at: impl FnOnce(&Entry) -> Timestamp, now: Timestamp) -> Settled {
        let Some((entry, held)) = self.take(claim) else {
            return Settled::Lost;
        };
        if !held.cancelled {
            let run_at = run_at(&entry);
            self.enqueue(&Entry { run_at, due: false, ..entry }, now, usize::MAX);
        }
        Settled::Done
    }

    fn cancel(&mut self, job: JobId) -> bool {
        let Some(known) = self.jobs.get_mut(&job) else {
            return false;
        };
        if let Some(held) = &mut known.held {
            held.cancelled = true;
        } else if let Some(known) = self.jobs.remove(&job) {
            self.unplace(&known.entry);
        }
        true
    }

    fn reap_one(&mut self, now: Instant) -> Option<JobId> {
        let (_, job) = *self.leases.first().filter(|(until, _)| *until <= now)?;
        self.leases.pop_first();
        self.jobs.remove(&job);
        Some(job)
    }
}

impl Default for MemoryQueue {
    /// With room for all.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl MemoryQueue {
    /// Keeps at most `per_org` jobs of one organisation ready in each lane.
    #[must_use]
    pub fn new(per_org: usize) -> Self {
        Self { per_org, state: Mutex::default(), changed: Notify::new(), signals: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code between two changes of the state can panic, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long until something is due in these lanes; `None`: nothing waits there.
    fn due_in(&self, lanes: Lanes) -> Option<Duration> {
        let state = self.state();
        if !state.ready.is_empty(lanes) {
            return Some(Duration::ZERO);
        }
        let delayed = lanes.iter().filter_map(|lane| state.delayed.get(&lane)?.first());
        delayed.min().map(|(run_at, _)| run_at.since(Timestamp::now()))
    }

    fn requeue(&self, claim: &Claim, run_at: impl FnOnce(&Entry) -> Timestamp) -> Settled {
        let settled = self.state().requeue(claim, run_at, Timestamp::now());
        self.changed.notify_waiters();
        settled
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn enqueue(&self, entries: &[Entry]) -> Result<u64, QueueError> {
        let now = Timestamp::now();
        let mut state = self.state();
        let new = entries.iter().filter(|entry| state.enqueue(entry, now, self.per_org)).count();
        drop(state);
        self.changed.notify_waiters();
        Ok(new as u64)
    }

    async fn claim(&self, _worker: &ProcessId, lanes: Lanes, lease: Duration) -> Result<Option<Claim>, QueueError> {
        let mut state = self.state();
        state.promote(Timestamp::now());
        let Some((lane, job_id)) = state.ready.pop(lanes) else {
            return Ok(None);
        };
        let claim = Claim { job_id, lane, lease: LeaseToken::random() };
        state.lease(job_id, &claim.lease, lease);
        Ok(Some(claim))
    }

    async fn wait(&self, lanes: Lanes, timeout: Duration) -> Result<(), QueueError> {
        let changed = self.changed.notified();
        tokio::pin!(changed);
        // Listens before it looks, so that an entry between the two is not missed.
        changed.as_mut().enable();
        let wait = self.due_in(lanes).map_or(timeout, |due| due.min(timeout));
        // Either way there may be something to claim.
        let _ = tokio::time::timeout(wait, changed).await;
        Ok(())
    }

    async fn heartbeat(&self, claim: &Claim, lease: Duration) -> Result<Beat, QueueError> {
        Ok(self.state().extend(claim, lease))
    }

    async fn restore(&self, claim: &Claim, entry: &Entry, lease: Duration) -> Result<Settled, QueueError> {
        let mut state = self.state();
        match state.jobs.get(&claim.job_id) {
            Some(Known { held: Some(held), .. }) if held.token != claim.lease => return Ok(Settled::Lost),
            Some(Known { held: Some(_), .. }) => drop(state.extend(claim, lease)),
            _ => {
                state.cancel(claim.job_id);
                state.jobs.insert(claim.job_id, Known { entry: entry.clone(), held: None });
                state.lease(claim.job_id, &claim.lease, lease);
            }
        }
        Ok(Settled::Done)
    }

    async fn complete(&self, claim: &Claim) -> Result<Settled, QueueError> {
        Ok(self.state().take(claim).map_or(Settled::Lost, |_| Settled::Done))
    }

    async fn retry(&self, claim: &Claim, run_at: Timestamp) -> Result<Settled, QueueError> {
        Ok(self.requeue(claim, |_| run_at))
    }

    async fn bury(&self, claim: &Claim, reason: &str) -> Result<Settled, QueueError> {
        let mut state = self.state();
        if state.take(claim).is_none() {
            return Ok(Settled::Lost);
        }
        state.dead.push_back((claim.job_id, reason.to_owned()));
        if state.dead.len() > MAX_DEAD {
            state.dead.pop_front();
        }
        Ok(Settled::Done)
    }

    async fn release(&self, claim: &Claim) -> Result<Settled, QueueError> {
        Ok(self.requeue(claim, |entry| Timestamp(entry.run_at.min(Timestamp::now()).0 - AGING_MS)))
    }

    async fn cancel(&self, job: JobId) -> Result<bool, QueueError> {
        Ok(self.state().cancel(job))
    }

    async fn reap(&self, limit: usize, _longest: Duration) -> Result<Vec<JobId>, QueueError> {
        let (mut state, now) = (self.state(), Instant::now());
        Ok(std::iter::from_fn(|| state.reap_one(now)).take(limit).collect())
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let mut state = self.state();
        state.promote(Timestamp::now());
        Ok(Depth {
            ready: state.ready.len() as u64,
            delayed: state.delayed.values().map(|delayed| delayed.len() as u64).sum(),
            leased: state.leases.len() as u64,
            dead: state.dead.len() as u64,
        })
    }

    fn service(&self) -> &'static str {
        "memory"
    }

    fn signals(&self) -> SharedSignals {
        self.signals.clone()
    }

    fn per_org(&self) -> usize {
        self.per_org
    }

    async fn ping(&self) -> Result<(), QueueError> {
        Ok(())
    }
}
