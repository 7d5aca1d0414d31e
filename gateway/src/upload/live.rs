//! Which uploads this gateway has under way, so that one statement can say of all of them that they live.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reelgate_common::{db::Db, ids::FileId};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often a draining gateway looks whether its uploads have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Default)]
pub(crate) struct LiveUploads {
    files: Arc<Mutex<HashSet<FileId>>>,
}

impl LiveUploads {
    /// Alive until the guard is dropped.
    pub(crate) fn enter(&self, file: FileId) -> Alive {
        self.with(|files| files.insert(file));
        Alive { live: self.clone(), file }
    }

    pub(crate) fn list(&self) -> Vec<FileId> {
        self.with(|files| files.iter().copied().collect())
    }

    /// Touches all live uploads until `stop`, and those under way then until they have ended.
    pub(crate) async fn touch(self, db: Db, every: Duration, stop: CancellationToken) {
        let mut failing = false;
        while stop.run_until_cancelled(sleep(every)).await.is_some() {
            failing = self.touch_once(&db, failing).await;
        }
        let mut touched = Instant::now();
        while !self.list().is_empty() {
            if touched.elapsed() >= every {
                failing = self.touch_once(&db, failing).await;
                touched = Instant::now();
            }
            sleep(DRAIN_LOOK).await;
        }
    }

    /// Failures are logged when they begin and when they end. Returns whether it failed.
    async fn touch_once(&self, db: &Db, failing: bool) -> bool {
        let files = self.list();
        if files.is_empty() {
            return failing;
        }
        let outcome = db.touch_uploads(&files).await;
        if let (Err(error), false) = (&outcome, failing) {
            tracing::warn!(error = error as &dyn std::error::Error, "uploads under way cannot be kept alive");
        } else if outcome.is_ok() && failing {
            tracing::info!(uploads = files.len(), "uploads under way are kept alive again");
        }
        outcome.is_err()
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashSet<FileId>) -> T) -> T {
        act(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
pub(crate) struct Alive {
    live: LiveUploads,
    file: FileId,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.live.with(|files| files.remove(&self.file));
    }
}
