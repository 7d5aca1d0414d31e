//! Holds the office of the one gateway that acts, for a term at a time.

use std::{
    sync::{Arc, Mutex, PoisonError},
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
    /// Until when the office is certainly ours, by this process's monotonic clock.
    until: Arc<Mutex<Option<Instant>>>,
}

impl Leader {
    pub(crate) fn new(db: Db, holder: ProcessId, term: Duration) -> Self {
        Self { db, holder, term, until: Arc::default() }
    }

    pub(crate) fn holds(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
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
            Ok(true) => self.set(Some(asked + self.term)),
            Ok(false) => self.set(None),
            // While the database is away the term runs out by itself.
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the election could not be held"),
        }
        if held != self.holds() {
            tracing::info!(process = %self.holder, leader = !held, "the maintenance office has changed hands");
        }
    }

    fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}
