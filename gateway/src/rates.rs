//! How often each caller may ask for what is no stream. Counted in Redis for all gateways together; while that is away each
//! gateway counts for itself. Streams are never counted: a player asks as often as it must.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use reelgate_common::{
    auth::Caller,
    hex::hex,
    metric::HTTP_REQUESTS_SHED,
    rate::{LocalBuckets, Rate, SharedBuckets, Taken},
};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};

use crate::{config::HttpConfig, error::ApiError};

/// Longest wait for the common buckets: a request must not be slow for being counted.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long they are let alone after they gave no answer.
const REST: Duration = Duration::from_secs(2);

pub(crate) struct Rates {
    /// `None`: any.
    rate: Option<Rate>,
    shared: Option<SharedBuckets>,
    local: LocalBuckets,
    resting_until: Mutex<Option<Instant>>,
}

impl Rates {
    pub(crate) fn new(config: &HttpConfig, shared: Option<SharedBuckets>) -> Self {
        let rate = Rate::new(config.requests_per_second, config.request_burst);
        Self { rate, shared, local: LocalBuckets::default(), resting_until: Mutex::default() }
    }

    /// # Errors
    /// 429 with the time to wait.
    pub(crate) async fn admit(&self, caller: &Caller) -> Result<(), ApiError> {
        let Some(rate) = self.rate else { return Ok(()) };
        match self.take(&bucket_of(caller), rate).await {
            Taken::Granted => Ok(()),
            Taken::Empty(wait) => {
                HTTP_REQUESTS_SHED.counter_of([("why", "rate")]).increment(1);
                Err(too_many(wait))
            }
        }
    }

    async fn take(&self, name: &str, rate: Rate) -> Taken {
        let Some(shared) = self.shared.as_ref().filter(|_| !self.rests()) else { return self.local.take(name, rate) };
        match timeout(PATIENCE, shared.take(name, rate)).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(_)) | Err(_) => {
                *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
                self.local.take(name, rate)
            }
        }
    }

    fn rests(&self) -> bool {
        let until = *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }
}

/// A user of an organisation. A digest, for names may hold anything, and be long.
fn bucket_of(caller: &Caller) -> String {
    let mut digest = Sha256::new();
    digest.update(caller.org.as_str());
    digest.update([0]);
    digest.update(caller.user.as_str());
    hex(&digest.finalize()[..16])
}

fn too_many(wait: Duration) -> ApiError {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests; try again later")
        .retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use async_trait::async_trait;
    use reelgate_common::{
        ids::{OrgId, UserId},
        rate::{Buckets, BucketsAway},
    };

    use super::*;

    #[derive(Default)]
    struct Fake {
        asked: AtomicUsize,
        hangs: bool,
    }

    #[async_trait]
    impl Buckets for Fake {
        async fn take(&self, _: &str, _: Rate) -> Result<Taken, BucketsAway> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.hangs {
                std::future::pending::<()>().await;
            }
            Ok(Taken::Empty(Duration::from_millis(1_500)))
        }
    }

    fn caller(user: &str, org: &str) -> Caller {
        Caller { user: UserId::new(user), org: OrgId::new(org), admin: false, operator: false }
    }

    fn rates(fake: &Arc<Fake>, per_second: u32) -> Rates {
        let config = HttpConfig { requests_per_second: per_second, request_burst: 2, ..HttpConfig::default() };
        Rates::new(&config, Some(fake.clone()))
    }

    #[tokio::test(start_paused = true)]
    async fn the_common_bucket_decides_and_says_when_to_come_back() {
        let fake = Arc::new(Fake::default());
        let refused = rates(&fake, 1).admit(&caller("alice", "acme")).await.unwrap_err();
        assert_eq!((refused.status, &*refused.code), (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"));
        assert_eq!(refused.into_response().headers()["retry-after"], "2");
        assert_eq!(rates(&fake, 0).admit(&caller("alice", "acme")).await, Ok(()), "no rate");
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_hangs_the_own_bucket_decides_and_few_wait() {
        let fake = Arc::new(Fake { hangs: true, ..Fake::default() });
        let rates = rates(&fake, 1);
        let begun = Instant::now();
        let alice = caller("alice", "acme");
        let mut granted = 0;
        for _ in 0..10 {
            granted += usize::from(rates.admit(&alice).await.is_ok());
        }
        assert_eq!((granted, begun.elapsed(), fake.asked.load(Ordering::SeqCst)), (2, PATIENCE, 1));
        tokio::time::advance(REST).await;
        assert!(rates.admit(&alice).await.is_ok());
        assert_eq!(fake.asked.load(Ordering::SeqCst), 2, "it is asked again");
    }

    #[test]
    fn users_of_one_name_in_two_organisations_have_two_buckets() {
        assert_ne!(bucket_of(&caller("b", "a")), bucket_of(&caller("", "ab")));
        assert_eq!(bucket_of(&caller("b", "a")), bucket_of(&caller("b", "a")));
    }
}
