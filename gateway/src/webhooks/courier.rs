//! What the elected gateway does for webhooks: makes deliveries of new events, and has those sent that are due. Claims are fenced in the
//! database, so that another gateway that takes the office meanwhile sends nothing twice at once, and takes over what this one leaves.

use std::sync::Arc;

use reelgate_common::{
    db::{Db, DbError, Taker},
    ids::ProcessId,
    webhook::ClaimedDelivery,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{Webhooks, attempt, secret};

/// Endpoints whose events become deliveries in one turn, and events of each.
const ENDPOINTS: u64 = 200;
const EVENTS: u64 = 200;
/// Rows that go from the log in one turn.
const PRUNED: u64 = 5_000;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Courier {
    webhooks: Arc<Webhooks>,
    db: Db,
    taker: Taker,
    places: Arc<Semaphore>,
    /// Something may be due now that was not.
    wake: Arc<Notify>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Courier {
    pub(crate) fn new(
        webhooks: Arc<Webhooks>,
        db: Db,
        holder: ProcessId,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let places = usize::try_from(webhooks.config.max_at_once).unwrap_or(1);
        let taker = webhooks.taker(holder);
        Self { webhooks, db, taker, places: Arc::new(Semaphore::new(places)), wake: Arc::default(), tasks, stop }
    }

    pub(crate) fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Looks at once when this process has told something itself. What others tell waits for the next turn.
    pub(crate) async fn listen(self) {
        let mut bell = self.db.bell().listen();
        loop {
            // Whoever missed some has something to look for all the same.
            let Some(_) = self.stop.run_until_cancelled(bell.recv()).await else { return };
            self.wake.notify_one();
        }
    }

    /// Makes deliveries, and sends as many as there are places for; how many of both.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn turn(self) -> Result<u64, DbError> {
        let made = self.fan_out().await?;
        Ok(made + self.send_due().await?)
    }

    async fn fan_out(&self) -> Result<u64, DbError> {
        let behind = self.db.webhooks_behind(ENDPOINTS).await?;
        let mut made = 0;
        for (org, webhook) in &behind {
            made += self.db.fan_out(org, *webhook, EVENTS, self.webhooks.config.retry()).await?;
        }
        if !behind.is_empty() {
            // There may be more of it.
            self.wake.notify_one();
        }
        Ok(made)
    }

    async fn send_due(&self) -> Result<u64, DbError> {
        let mut sent = 0;
        let free = self.places.available_permits() as u64;
        if free == 0 {
            return Ok(0);
        }
        for (org, webhook) in self.db.due_webhooks(&self.taker, free).await? {
            let most = self.places.available_permits();
            if most == 0 {
                break;
            }
            let asked = Instant::now();
            let claimed = self.db.claim_deliveries(&org, webhook, &self.taker, most).await?;
            for delivery in claimed {
                let Ok(place) = self.places.clone().acquire_owned().await else { break };
                let span = attempt::span(&delivery);
                self.tasks.spawn(self.clone().carry(delivery, asked, place).instrument(span));
                sent += 1;
            }
        }
        Ok(sent)
    }

    /// A process that slept since it claimed may have been taken for dead: it sends nothing then.
    async fn carry(self, claimed: ClaimedDelivery, asked: Instant, place: OwnedSemaphorePermit) {
        if asked.elapsed() < self.taker.lease / 2 {
            let told = self.stop.run_until_cancelled(self.webhooks.send(&claimed)).await;
            let done = match told {
                Some(told) => self.webhooks.settle(&self.db, &claimed, told).await.map(drop),
                None => self.db.release_delivery(&claimed.delivery.org_id, &claimed).await,
            };
            if let Err(error) = done {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, delivery.id = %claimed.delivery.id, "what came of a delivery was not written down");
            }
        }
        drop(place);
        self.wake.notify_one();
    }

    /// Drops what is old of the log, and seals secrets anew that are not sealed with the first key.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn tidy(self) -> Result<u64, DbError> {
        let keyring = &self.webhooks.keyring;
        for webhook in self.db.webhooks_sealed_otherwise(&keyring.seal_prefix(), ENDPOINTS).await? {
            match secret::reseal(keyring, &webhook) {
                Some(sealed) => {
                    self.db.reseal_webhook(&webhook.org_id, webhook.id, &webhook.secrets.current, sealed).await?;
                }
                // Its deliveries say so.
                None => tracing::debug!(webhook.id = %webhook.id, "a webhook's secret cannot be read"),
            }
        }
        self.db.prune_deliveries(self.webhooks.config.keep_log(), PRUNED).await
    }
}

impl Webhooks {
    pub(super) fn taker(&self, holder: ProcessId) -> Taker {
        let config = &self.config;
        let longest_wait = std::time::Duration::from_millis(config.backoff_max_ms);
        Taker { holder, lease: config.lease(), longest_wait, per_endpoint: config.max_at_once_per_endpoint }
    }
}
