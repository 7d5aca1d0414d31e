//! One memory budget for all uploads of a gateway.
//!
//! A store takes parts of at least 5 MiB, so every upload must gather a part in memory before it can let go of any. The
//! budget is charged by what is received and held, never reserved ahead, so an idle upload costs what it has sent.
//!
//! Why nobody waits for ever. Charges are granted freely up to the soft limit (half the budget). Above it there are
//! *turns*: a turn sets aside, from the other half, all that its upload still lacks of its part, so its holder never waits
//! again before the part is written and all of it is released. Turns go out first come, first served; no part is larger
//! than the reserve (`Budget::new` sees to it), so the first in the queue gets one as soon as the parts before it have
//! been written. A turn ends when its part is full and on its way to the store, or, when others wait and it has lasted longer than `turn`, by
//! eviction: the upload fails with a code that says so. Slow uploads below the soft limit are never evicted, and cannot
//! stand in the way of a turn: the reserve is not theirs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;

/// Shared by all uploads. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    soft: usize,
    hard: usize,
    turn: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes held outside turns, and by turns beyond what they had set aside: all that was charged.
    used: usize,
    /// Bytes set aside by turns and not yet charged.
    promised: usize,
    turns: Vec<Turn>,
    waiters: VecDeque<Waiter>,
    next_turn: u64,
}

#[derive(Debug)]
struct Turn {
    id: u64,
    since: Instant,
    evict: CancellationToken,
}

#[derive(Debug)]
struct Waiter {
    bytes: usize,
    /// What is missing to a full part, `bytes` included.
    lacking: usize,
    evict: CancellationToken,
    granted: oneshot::Sender<Grant>,
}

#[derive(Debug)]
enum Grant {
    Free,
    Turn { id: u64, promised: usize },
}

/// The upload took longer over its turn than others could wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("memory is short and this upload is too slow")]
pub(crate) struct Evicted;

impl Budget {
    /// `largest_part` must fit into half of `bytes`; the budget grows if it does not.
    pub(crate) fn new(bytes: usize, largest_part: usize, turn: Duration) -> Self {
        let hard = bytes.max(2 * largest_part);
        let shared = Shared { soft: hard / 2, hard, turn, state: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// An account for the part that an upload gathers.
    pub(crate) fn open(&self) -> Account {
        Account { charge: self.empty_charge(), turn: None, evict: CancellationToken::new() }
    }

    /// Bytes held now.
    pub(crate) fn used(&self) -> usize {
        self.lock().used
    }

    fn empty_charge(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, bytes: usize, turn: Option<u64>, promised: usize) {
        let mut state = self.lock();
        state.used -= bytes;
        state.promised -= promised;
        if let Some(id) = turn {
            state.turns.retain(|turn| turn.id != id);
        }
        self.shared.grant(&mut state);
    }

    /// Asks the longest turn to make room, if it has lasted too long. Called by those who wait.
    fn evict_overdue(&self) {
        let state = self.lock();
        let overdue = state.turns.iter().filter(|turn| turn.since.elapsed() >= self.shared.turn);
        if let Some(turn) = overdue.min_by_key(|turn| turn.since) {
            turn.evict.cancel();
        }
    }
}

impl Shared {
    /// Serves the queue from its front, as far as there is room. A waiter that has gone takes nothing.
    fn grant(&self, state: &mut State) {
        while let Some(waiter) = state.waiters.front() {
            let free = state.used + state.promised + waiter.bytes <= self.soft;
            let turn = state.used + state.promised + waiter.lacking <= self.hard;
            if !free && !turn {
                return;
            }
            let Some(waiter) = state.waiters.pop_front() else { return };
            if waiter.granted.is_closed() {
                continue;
            }
            let grant = if free { Grant::Free } else { self.begin_turn(state, &waiter) };
            state.used += waiter.bytes;
            if let Err(refused) = waiter.granted.send(grant) {
                self.take_back(state, &refused, waiter.bytes);
            }
        }
    }

    fn begin_turn(&self, state: &mut State, waiter: &Waiter) -> Grant {
        let id = state.next_turn;
        state.next_turn += 1;
        let promised = waiter.lacking - waiter.bytes;
        state.promised += promised;
        state.turns.push(Turn { id, since: Instant::now(), evict: waiter.evict.clone() });
        Grant::Turn { id, promised }
    }

    /// The waiter went away between the look and the grant.
    fn take_back(&self, state: &mut State, grant: &Grant, bytes: usize) {
        state.used -= bytes;
        if let Grant::Turn { id, promised } = grant {
            state.promised -= promised;
            state.turns.retain(|turn| turn.id != *id);
        }
    }
}

/// What one upload holds of the part it gathers. Dropping it gives all back.
#[derive(Debug)]
pub(crate) struct Account {
    charge: Charge,
    turn: Option<Promise>,
    evict: CancellationToken,
}

#[derive(Debug)]
struct Promise {
    id: u64,
    left: usize,
}

impl Account {
    /// Charges `bytes` that are about to be held; `lacking` is what the part still lacks, `bytes` included.
    /// Cancel-safe: a charge that was not answered is not made.
    pub(crate) async fn charge(&mut self, bytes: usize, lacking: usize) -> Result<(), Evicted> {
        if self.take_promised(bytes) {
            return Ok(());
        }
        let lacking = lacking.max(bytes);
        let mut granted = match self.ask(bytes, lacking) {
            None => return Ok(()),
            Some(granted) => Waiting { budget: self.charge.budget.clone(), bytes, granted },
        };
        let grant = granted.wait().await;
        self.charge.bytes += bytes;
        if let Grant::Turn { id, promised } = grant {
            self.turn = Some(Promise { id, left: promised });
        }
        Ok(())
    }

    /// Ends when this upload must make room for others.
    pub(crate) fn eviction(&self) -> CancellationToken {
        self.evict.clone()
    }

    /// Hands what is held to the write of the part; it is given back when the write drops it. A new part begins.
    pub(crate) fn take(&mut self) -> Charge {
        let next = self.charge.budget.open();
        let mut done = std::mem::replace(self, next);
        done.end_turn();
        let empty = done.charge.budget.empty_charge();
        std::mem::replace(&mut done.charge, empty)
    }

    fn take_promised(&mut self, bytes: usize) -> bool {
        let Some(promise) = self.turn.as_mut().filter(|promise| promise.left >= bytes) else { return false };
        promise.left -= bytes;
        let mut state = self.charge.budget.lock();
        state.promised -= bytes;
        state.used += bytes;
        drop(state);
        self.charge.bytes += bytes;
        true
    }

    /// Charged at once (`None`), or in the queue.
    fn ask(&mut self, bytes: usize, lacking: usize) -> Option<oneshot::Receiver<Grant>> {
        let budget = self.charge.budget.clone();
        let mut state = budget.lock();
        let (granted, receiver) = oneshot::channel();
        let nobody_waits = state.waiters.is_empty();
        if nobody_waits && state.used + state.promised + bytes <= budget.shared.soft {
            state.used += bytes;
            self.charge.bytes += bytes;
            return None;
        }
        state.waiters.push_back(Waiter { bytes, lacking, evict: self.evict.clone(), granted });
        budget.shared.grant(&mut state);
        Some(receiver)
    }

    /// Gives back what was set aside and not used. Who writes is no candidate for eviction any more.
    fn end_turn(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.charge.budget.release(0, Some(turn.id), turn.left);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.end_turn();
    }
}

/// A place in the queue.
struct Waiting {
    budget: Budget,
    bytes: usize,
    granted: oneshot::Receiver<Grant>,
}

impl Waiting {
    async fn wait(&mut self) -> Grant {
        loop {
            match tokio::time::timeout(self.budget.shared.turn, &mut self.granted).await {
                Ok(Ok(grant)) => return grant,
                // The sender lives in the queue until it is used.
                Ok(Err(_)) => return Grant::Free,
                Err(_) => self.budget.evict_overdue(),
            }
        }
    }
}

impl Drop for Waiting {
    /// Gives back what was granted while nobody listened any more.
    fn drop(&mut self) {
        self.granted.close();
        match self.granted.try_recv() {
            Ok(Grant::Free) => self.budget.release(self.bytes, None, 0),
            Ok(Grant::Turn { id, promised }) => self.budget.release(self.bytes, Some(id), promised),
            Err(_) => {
                let budget = self.budget.clone();
                let mut state = budget.lock();
                budget.shared.grant(&mut state);
            }
        }
    }
}

/// Bytes held, given back on drop.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.release(self.bytes, None, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_secs(10);

    async fn gather(budget: Budget, parts: usize, part: usize, chunk: usize) {
        let mut account = budget.open();
        for _ in 0..parts {
            let mut held = 0;
            while held < part {
                account.charge(chunk, part - held).await.unwrap();
                held += chunk;
                assert!(budget.used() <= budget.shared.hard);
                tokio::task::yield_now().await;
            }
            let charge = account.take();
            tokio::task::yield_now().await;
            drop(charge);
        }
    }

    async fn everybody_finishes(uploads: usize) {
        let budget = Budget::new(1000, 100, TURN);
        let tasks: Vec<_> = (0..uploads).map(|_| tokio::spawn(gather(budget.clone(), 5, 100, 10))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let state = budget.lock();
        assert_eq!((state.used, state.promised, state.turns.len(), state.waiters.len()), (0, 0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_uploads_finish_on_a_small_budget() {
        everybody_finishes(20).await;
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_uploads_finish_on_a_small_budget() {
        everybody_finishes(200).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_hundred_uploads_finish_on_many_threads() {
        everybody_finishes(200).await;
    }

    #[tokio::test(start_paused = true)]
    async fn idle_uploads_that_fill_the_soft_half_starve_nobody() {
        let budget = Budget::new(1000, 100, TURN);
        let mut idle: Vec<_> = (0..6).map(|_| budget.open()).collect();
        for account in &mut idle[..5] {
            account.charge(99, 100).await.unwrap();
        }
        let start = Instant::now();
        gather(budget.clone(), 50, 100, 10).await;
        assert!(start.elapsed() < TURN, "the fast upload waited {:?}", start.elapsed());
        assert!(idle.iter().all(|account| !account.evict.is_cancelled()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_lasts_too_long_is_evicted_only_when_somebody_waits() {
        let budget = Budget::new(400, 200, TURN);
        let (mut base, mut slow) = (budget.open(), budget.open());
        base.charge(200, 200).await.unwrap();
        slow.charge(10, 200).await.unwrap();
        tokio::time::advance(TURN * 3).await;
        assert!(!slow.evict.is_cancelled());
        let waiting = tokio::spawn(gather(budget.clone(), 1, 200, 50));
        slow.eviction().cancelled().await;
        drop(slow);
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_goes_away_leaves_no_trace() {
        let budget = Budget::new(400, 200, TURN);
        let (mut base, mut turn) = (budget.open(), budget.open());
        base.charge(200, 200).await.unwrap();
        turn.charge(200, 200).await.unwrap();
        let mut gone = budget.open();
        assert!(tokio::time::timeout(Duration::from_secs(1), gone.charge(10, 200)).await.is_err());
        drop((gone, turn, base));
        assert_eq!(budget.used(), 0);
        gather(budget.clone(), 3, 200, 50).await;
    }
}
