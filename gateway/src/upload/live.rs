//! Which uploads this gateway has under way, so that one statement can say of all of them that they live, and one signal how far they
//! are.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reelgate_common::{
    db::Db,
    event::{LiveEvent, SharedSignals, Signal, data::UploadProgress},
    ids::{FileId, OrgId},
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often a draining gateway looks whether its uploads have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Default)]
pub(crate) struct LiveUploads {
    files: Arc<Mutex<HashMap<FileId, Arc<Course>>>>,
}

impl LiveUploads {
    /// Alive until the guard is dropped.
    pub(crate) fn enter(&self, file: FileId, org: &OrgId) -> Alive {
        self.with(|files| files.insert(file, Arc::new(Course::of(org.clone()))));
        Alive { live: self.clone(), file }
    }

    pub(crate) fn list(&self) -> Vec<FileId> {
        self.with(|files| files.keys().copied().collect())
    }

    /// Where one says how far it is; of one that is not under way nobody hears it.
    pub(crate) fn course(&self, file: FileId) -> Arc<Course> {
        self.with(|files| files.get(&file).cloned()).unwrap_or_default()
    }

    /// Tells those who listen how far the uploads are, each at most once in `every`. Nobody is harmed by what is lost.
    pub(crate) async fn tell(self, signals: SharedSignals, every: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(every)).await.is_some() {
            let news = self.news();
            if news.is_empty() {
                continue;
            }
            if let Err(error) = signals.send(&news).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "nobody hears how far uploads are");
            }
        }
    }

    fn news(&self) -> Vec<Signal> {
        let news = |(file, course): (&FileId, &Arc<Course>)| course.news(*file).map(Signal::Live);
        self.with(|files| files.iter().filter_map(news).collect())
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

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<FileId, Arc<Course>>) -> T) -> T {
        act(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How far an upload is.
#[derive(Debug)]
pub(crate) struct Course {
    org: OrgId,
    received: AtomicU64,
    /// 0: not known.
    size: AtomicU64,
    told: AtomicU64,
}

impl Default for Course {
    fn default() -> Self {
        Self::of(OrgId::new(""))
    }
}

impl Course {
    fn of(org: OrgId) -> Self {
        Self { org, received: AtomicU64::new(0), size: AtomicU64::new(0), told: AtomicU64::new(0) }
    }

    /// So many bytes of the file have come.
    pub(crate) fn reached(&self, bytes: u64) {
        self.received.store(bytes, Ordering::Relaxed);
    }

    /// So many there will be.
    pub(crate) fn expect(&self, bytes: u64) {
        self.size.store(bytes, Ordering::Relaxed);
    }

    /// What nobody has been told yet.
    fn news(&self, file_id: FileId) -> Option<LiveEvent> {
        let received = self.received.load(Ordering::Relaxed);
        if self.told.swap(received, Ordering::Relaxed) == received {
            return None;
        }
        let size = Some(self.size.load(Ordering::Relaxed)).filter(|size| *size > 0);
        let data = UploadProgress { received_bytes: received, size_bytes: size };
        Some(LiveEvent::of(self.org.clone(), file_id, &data))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn how_far_an_upload_is_is_told_once_and_only_while_it_lives() {
        let (live, file) = (LiveUploads::default(), FileId::new());
        let alive = live.enter(file, &OrgId::new("acme"));
        let course = live.course(file);
        assert_eq!(live.news(), [], "nothing has come yet");
        course.expect(10);
        course.reached(4);
        let [Signal::Live(event)] = &live.news()[..] else { panic!("not told") };
        assert_eq!((&event.org_id, event.file_id), (&OrgId::new("acme"), file));
        assert_eq!(event.data, json!({ "received_bytes": 4, "size_bytes": 10 }));
        assert_eq!(live.news(), []);
        course.reached(9);
        drop(alive);
        assert_eq!(live.news(), []);
    }
}
