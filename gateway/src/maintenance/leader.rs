//! Holds the office of the one gateway that acts, for a term at a time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reelgate_common::{
    db::{Db, DbError},
    ids::ProcessId,
};
use tokio::time::{Instant, sleep};

use super::clock::Reading;
use tokio_util::sync::CancellationToken;

const OFFICE: &str = "maintenance";

#[derive(Debug, Clone)]
pub(crate) struct Leader {
    db: Db,
    holder: ProcessId,
    term: Duration,
    held: Arc<Mutex<Option<Held>>>,
    read: Arc<Mutex<Option<Reading>>>,
}

/// By this process's monotonic clock.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Since when the database has answered every time, and its clock gone on steadily.
    since: Instant,
    /// Until when the office is certainly ours.
    until: Instant,
}

impl Leader {
    pub(crate) fn new(db: Db, holder: ProcessId, term: Duration) -> Self {
        Self { db, holder, term, held: Arc::default(), read: Arc::default() }
    }

    pub(crate) fn holds(&self) -> bool {
        self.held().is_some()
    }

    /// Whether the office was ours and the database within reach for all this time. Whoever judges others by their silence
    /// must have been able to hear them.
    pub(crate) fn has_listened_for(&self, time: Duration) -> bool {
        self.held().is_some_and(|held| held.since.elapsed() >= time)
    }

    /// Looks at the clock by which silence is measured. When it was set, everything that was said before looks older or younger
    /// than it is: then all are given the time to be heard again.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn look_at_the_clock(&self) -> Result<(), DbError> {
        let reading = Reading::of(&self.db).await?;
        let before = self.read.lock().unwrap_or_else(PoisonError::into_inner).replace(reading);
        let Some(step) = before.and_then(|before| reading.step_since(&before)) else { return Ok(()) };
        tracing::warn!(step_ms = step, "the database's clock was set; nobody is judged by its silence for a while");
        if let Some(held) = self.lock().as_mut() {
            held.since = Instant::now();
        }
        Ok(())
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
