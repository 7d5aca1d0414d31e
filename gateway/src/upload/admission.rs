//! Whether an upload may begin: so many at once, of them so many of one organisation, and none while more work waits than the
//! operator bears. Asked before a byte of the body is read, so that a refusal costs the client nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reelgate_common::{db::Db, ids::OrgId, metric::HTTP_REQUESTS_SHED};
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
    shares: Arc<Shares>,
    /// 0: any number.
    max_waiting_jobs: u64,
    waiting: Mutex<Option<(Instant, u64)>>,
}

impl Admission {
    pub(super) fn new(config: &UploadConfig) -> Self {
        let places = Arc::new(Semaphore::new(config.max_at_once));
        let shares = Arc::new(Shares { each: config.max_at_once_per_org, held: Mutex::default() });
        Self { places, shares, max_waiting_jobs: config.max_waiting_jobs, waiting: Mutex::default() }
    }

    /// A place, given back on drop.
    pub(super) async fn enter(&self, db: &Db, org: &OrgId) -> Result<Place, UploadError> {
        let share = self.shares.take(org).ok_or_else(|| shed("own_uploads", UploadError::TooManyOwnUploads))?;
        let place =
            self.places.clone().try_acquire_owned().map_err(|_| shed("uploads", UploadError::TooManyUploads))?;
        if self.max_waiting_jobs > 0 && self.waiting_jobs(db).await? > self.max_waiting_jobs {
            return Err(shed("queue", UploadError::QueueFull));
        }
        Ok(Place { _share: share, _place: place })
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

/// The right to one upload. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    _share: Share,
    _place: OwnedSemaphorePermit,
}

/// How many places each organisation has taken: slow uploads of one must not take them from all others.
#[derive(Debug)]
struct Shares {
    /// 0: any number.
    each: usize,
    held: Mutex<HashMap<OrgId, usize>>,
}

#[derive(Debug)]
struct Share(Arc<Shares>, OrgId);

impl Shares {
    fn take(self: &Arc<Self>, org: &OrgId) -> Option<Share> {
        let mut held = self.held();
        let count = held.entry(org.clone()).or_default();
        if self.each > 0 && *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share(self.clone(), org.clone()))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<OrgId, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.0.held();
        if let Some(count) = held.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.1);
            }
        }
    }
}

fn shed(why: &'static str, error: UploadError) -> UploadError {
    HTTP_REQUESTS_SHED.counter_of([("why", why)]).increment(1);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_has_its_share_and_gets_it_back() {
        let shares = Arc::new(Shares { each: 2, held: Mutex::default() });
        let (acme, globex) = (OrgId::new("acme"), OrgId::new("globex"));
        let first = shares.take(&acme);
        let second = shares.take(&acme);
        assert!(first.is_some() && second.is_some() && shares.take(&acme).is_none());
        assert!(shares.take(&globex).is_some());
        drop(first);
        assert!(shares.take(&acme).is_some());
        drop(second);
        assert!(shares.held().is_empty(), "who has nothing is forgotten");
    }
}
