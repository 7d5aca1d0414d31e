//! `/v1/webhooks`: an organisation's admins name endpoints, and hear there of what happens to files. What happens is taken from the log
//! of events by the elected gateway (`courier`), and posted, signed, to addresses that a guard has looked at (`guard`, `exchange`).

mod address;
mod answer;
mod ask;
mod attempt;
pub mod config;
mod courier;
mod described;
mod exchange;
mod guard;
mod handlers;
mod log;
mod resolve;
mod secret;
mod signature;
mod target;
mod wish;

use std::sync::Arc;

use reelgate_common::{http_client, tokens::Keyring};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

pub use self::secret::can_sign;
pub(crate) use self::{
    ask::{Ask, Place},
    courier::Courier,
    described::endpoints,
    handlers::{Trial, handle},
};
use self::{config::WebhooksConfig, guard::Guard, resolve::Resolver};

/// Tests at once, of all callers of a gateway.
const TRIALS: usize = 8;

/// What posting to endpoints takes, one per gateway.
pub(crate) struct Webhooks {
    config: WebhooksConfig,
    guard: Guard,
    resolver: Resolver,
    tls: TlsConnector,
    keyring: Keyring,
    /// Tests under way: else a caller could have us post as fast as he asks.
    trials: Semaphore,
}

impl Webhooks {
    /// # Errors
    /// A sentence that names the key of the configuration to change.
    pub(crate) fn new(config: &WebhooksConfig, keyring: &Keyring) -> Result<Self, String> {
        Ok(Self {
            guard: config.guard()?,
            resolver: Resolver::default(),
            tls: TlsConnector::from(Arc::new(http_client::tls())),
            keyring: keyring.clone(),
            trials: Semaphore::new(TRIALS),
            config: config.clone(),
        })
    }
}
