//! Which uploads this gateway is writing, so that who else wants one is heard: at once in this process, else by asking the database
//! one question for all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reelgate_common::{db::Db, ids::FileId};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the database is asked whether somebody wants one.
const LOOK: Duration = Duration::from_millis(250);

type Held = HashMap<(FileId, i64), CancellationToken>;

#[derive(Debug, Clone, Default)]
pub(in crate::upload) struct Holds {
    held: Arc<Mutex<Held>>,
}

/// Until it is dropped this gateway writes the upload.
#[derive(Debug)]
pub(super) struct Holding {
    holds: Holds,
    key: (FileId, i64),
    wanted: CancellationToken,
}

impl Holding {
    /// Ends when somebody else wants it.
    pub(super) fn wanted(&self) -> CancellationToken {
        self.wanted.clone()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.holds.lock().remove(&self.key);
    }
}

impl Holds {
    pub(super) fn enter(&self, file: FileId, fence: i64) -> Holding {
        let (key, wanted) = ((file, fence), CancellationToken::new());
        self.lock().insert(key, wanted.clone());
        Holding { holds: self.clone(), key, wanted }
    }

    /// Says to whoever of this process writes it that it is wanted.
    pub(super) fn want(&self, file: FileId) {
        self.lock().iter().filter(|((held, _), _)| *held == file).for_each(|(_, wanted)| wanted.cancel());
    }

    /// Asks on behalf of other gateways, until `stop` and then until nothing is held any more.
    pub(in crate::upload) async fn heed(self, db: Db, stop: CancellationToken) {
        while !(stop.is_cancelled() && self.lock().is_empty()) {
            sleep(LOOK).await;
            let files: Vec<FileId> = self.lock().keys().map(|(file, _)| *file).collect();
            if files.is_empty() {
                continue;
            }
            match db.wanted_resumables(&files).await {
                Ok(wanted) => wanted.into_iter().for_each(|file| self.want(file)),
                Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "nobody could be heard"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
