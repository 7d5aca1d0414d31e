//! `/readyz`: what a process depends on, asked now. The same of gateways and workers; what each cannot do without, it says itself.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::timeout;

use crate::backends::Backends;

/// Longest wait for one dependency: a probe must answer while they hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// As it is sent.
#[derive(Debug, Serialize)]
pub struct Readiness {
    pub ready: bool,
    draining: bool,
    checks: Checks,
}

#[derive(Debug, Serialize)]
struct Checks {
    database: Check,
    storage: Check,
    queue: Check,
}

#[derive(Debug, Serialize)]
struct Check {
    service: &'static str,
    ok: bool,
    /// Whether nothing goes on without it.
    needed: bool,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Asks all three. Whoever drains is not ready, whatever they say.
pub async fn readiness(backends: &Backends, draining: bool, needs_queue: bool) -> Readiness {
    let (database, storage, queue) = tokio::join!(
        check(backends.db.service(), true, backends.db.ping()),
        check(backends.storage.service(), true, backends.storage.ping(PATIENCE)),
        check(backends.queue.service(), needs_queue, backends.queue.ping()),
    );
    let ready = !draining && [&database, &storage, &queue].iter().all(|check| check.ok || !check.needed);
    Readiness { ready, draining, checks: Checks { database, storage, queue } }
}

async fn check<E: std::error::Error>(
    service: &'static str,
    needed: bool,
    ping: impl Future<Output = Result<(), E>>,
) -> Check {
    let begun = Instant::now();
    let error = match timeout(PATIENCE, ping).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {PATIENCE:?}")),
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Check { service, ok: error.is_none(), needed, took_ms, error }
}
