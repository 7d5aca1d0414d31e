//! Whether an upload may begin: so many at once, and none while more work waits than the operator bears. Asked before a byte
//! of the body is read, so that a refusal costs the client nothing.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reelgate_common::db::Db;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{config::UploadConfig, error::UploadError};

/// How long a count of waiting jobs is believed; as much as comes in between is too much.
const BELIEVED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Admission {
    places: Arc<Semaphore>,
    /// 0: any number.
    max_waiting_jobs: u64,
    waiting: Mutex<Option<(Instant, u64)>>,
}

impl Admission {
    pub(super) fn new(config: &UploadConfig) -> Self {
        let places = Arc::new(Semaphore::new(config.max_at_once));
        Self { places, max_waiting_jobs: config.max_waiting_jobs, waiting: Mutex::default() }
    }

    /// A place, given back on drop.
    pub(super) async fn enter(&self, db: &Db) -> Result<OwnedSemaphorePermit, UploadError> {
        let place =
            self.places.clone().try_acquire_owned().map_err(|_| shed("uploads", UploadError::TooManyUploads))?;
        if self.max_waiting_jobs > 0 && self.waiting_jobs(db).await? > self.max_waiting_jobs {
            return Err(shed("queue", UploadError::QueueFull));
        }
        Ok(place)
    }

    async fn waiting_jobs(&self, db: &Db) -> Result<u64, UploadError> {
        let known = *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((counted, jobs)) = known
            && counted.elapsed() < BELIEVED
        {
            return Ok(jobs);
        }
        let jobs = db.waiting_jobs().await?;
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), jobs));
        Ok(jobs)
    }
}

fn shed(why: &'static str, error: UploadError) -> UploadError {
    metrics::counter!("reelgate_http_requests_shed_total", "why" => why).increment(1);
    error
}
