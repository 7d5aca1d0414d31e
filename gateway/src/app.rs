//! What every handler is given: the backends, the keys and the configuration of one gateway. Knows no handler.

use std::sync::Arc;

use reelgate_common::{
    auth::Authenticator, backends::Backends, db::Db, ids::ProcessId, queue::SharedQueue, storage::SharedStorage,
    tokens::Keyring,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cache::Cache, config::GatewayConfig, demand::Demand, events::hub::Hub, hls::memory::HlsMemory, lease::Leases,
    rates::Rates, regulars::Regulars, rows::Rows, thumbnail::waiting::Thumbnails, upload::Uploads, webhooks::Webhooks,
};

/// One per process, behind an `Arc`.
pub struct App {
    pub config: GatewayConfig,
    pub db: Db,
    pub storage: SharedStorage,
    pub queue: SharedQueue,
    pub keyring: Keyring,
    pub authenticator: Authenticator,
    pub rows: Rows,
    pub(crate) rates: Rates,
    /// Who was shown what a moment ago.
    pub(crate) regulars: Regulars,
    pub leases: Leases,
    /// What is watched, where that earns anything.
    pub(crate) demand: Arc<Demand>,
    pub(crate) cache: Cache,
    /// Who listens to events.
    pub(crate) events: Arc<Hub>,
    /// What playlists and segments are made of.
    pub hls: HlsMemory,
    /// This process, for elections.
    pub process: ProcessId,
    /// What uploads share: budgets and the set of those under way.
    pub uploads: Uploads,
    pub thumbnails: Thumbnails,
    pub(crate) webhooks: Arc<Webhooks>,
    /// Cancelled when the gateway begins to drain: no new work, `/readyz` says no.
    pub draining: CancellationToken,
}

impl App {
    /// # Errors
    /// A sentence that names the key of the configuration to change.
    pub async fn new(
        config: GatewayConfig,
        backends: Backends,
        draining: CancellationToken,
    ) -> Result<Arc<Self>, String> {
        let keyring = Keyring::new(&config.tokens)?;
        let authenticator = Authenticator::new(&config.auth).await?;
        let process = ProcessId::new(format!("gateway-{}", uuid::Uuid::now_v7().simple()));
        let (uploads, hls) =
            (Uploads::new(&config.upload, config.quota.quota()), HlsMemory::new(config.cache.playlist_bytes));
        let thumbnails = Thumbnails::new(&config.thumbnails);
        let webhooks = Arc::new(Webhooks::new(&config.webhooks, &keyring)?);
        let cache = Cache::open(&config.cache).await?;
        let Backends { db, storage, queue } = backends;
        let rates = Rates::new(&config.http, queue.buckets());
        let demand = Arc::new(Demand::new(&config.earned));
        let leases = Leases::open_with(config.leases.clone(), db.clone(), queue.leases(), demand.clone());
        let leases = leases.await.map_err(|error| format!("cannot read what was revoked: {error}"))?;
        let events = Arc::new(Hub::new(&config.events));
        Ok(Arc::new(Self {
            config,
            db,
            storage,
            queue,
            keyring,
            authenticator,
            rows: Rows::default(),
            rates,
            regulars: Regulars::default(),
            leases,
            demand,
            cache,
            events,
            hls,
            process,
            uploads,
            thumbnails,
            webhooks,
            draining,
        }))
    }

    /// The same three again, for those that want no more of the application.
    #[must_use]
    pub fn backends(&self) -> Backends {
        Backends { db: self.db.clone(), storage: self.storage.clone(), queue: self.queue.clone() }
    }
}
