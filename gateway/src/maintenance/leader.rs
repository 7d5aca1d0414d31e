//! Holds the office of the one gateway that acts, for a term at a time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reelgate_common::{db::Db, ids::ProcessId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const OFFICE: &str = "maintenance";

#[derive(Debug, Clone)]
pub(crate) struct Leader {
    db: Db,
    holder: ProcessId,
    term: Duration,
    held: Arc<Mutex<Option<Held>>>,
}

/// By this process's monotonic clock.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Since when the database has answered every time.
    since: Instant,
    /// Until when the office is certainly ours.
    until: Instant,
}

impl Leader {
    pub(crate) fn new(db: Db, holder: ProcessId, term: Duration) -> Self {
        Self { db, holder, term, held: Arc::default() }
    }

    pub(crate) fn holds(&self) -> bool {
        self.held().is_some()
    }

    /// Whether the office was ours and the database within reach for all this time. Whoever judges others by their silence
    /// must have been able to hear them.
    pub(crate) fn has_listened_for(&self, time: Duration) -> bool {
        self.held().is_some_and(|held| held.since.elapsed() >= time)
    }

    fn held(&self) -> Option<Held> {
        self.lock().filter(|held| Instant::now() < held.until)
    }

    /// Runs for the office, again and again, until `stop`; then leaves it, so that another need not wait.
    pub(crate) async fn campaign(self, stop: CancellationToken) {
        loop {
            self.run_for_office().await;
            if stop.run_until_cancelled(sleep(self.term / 3)).await.is_none() {
                break;
            }
        }
        if self.holds() {
            self.set(None);
            drop(self.db.leave_office(OFFICE, &self.holder).await);
        }
    }

    pub(super) async fn run_for_office(&self) {
        let held = self.holds();
        // The database starts the term at some time after this.
        let asked = Instant::now();
        match self.db.hold_office(OFFICE, &self.holder, self.term).await {
            Ok(true) => {
                let since = self.held().map_or(asked, |held| held.since);
                self.set(Some(Held { since, until: asked + self.term }));
            }
            Ok(false) => self.set(None),
            // While the database is away the term runs out by itself.
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "the election could not be held");
                if let Some(held) = self.lock().as_mut() {
                    held.since = Instant::now();
                }
            }
        }
        if held != self.holds() {
            tracing::info!(process = %self.holder, leader = !held, "the maintenance office has changed hands");
        }
    }

    fn set(&self, held: Option<Held>) {
        *self.lock() = held;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
