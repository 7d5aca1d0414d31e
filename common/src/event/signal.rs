//! What processes tell each other at once, at most once: that a log has grown, and what is live. Everything in it may be lost; then the
//! database says the same a little later, or nobody needs to know any more.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{Bell, LiveEvent};
use crate::ids::OrgId;

pub type SharedSignals = Arc<dyn Signals>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Signal {
    /// The log of this organisation has grown.
    Grown {
        org: OrgId,
    },
    Live(LiveEvent),
}

/// They could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("signals could not be sent")]
pub struct SignalsError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

#[async_trait]
pub trait Signals: Send + Sync + 'static {
    /// Tells all who listen, this process included, in this order.
    ///
    /// # Errors
    /// The way is away: nobody or not all have heard it.
    async fn send(&self, signals: &[Signal]) -> Result<(), SignalsError>;

    /// Hears what is sent from about now on.
    fn listen(&self) -> broadcast::Receiver<Signal>;
}

/// A listener that is slower than this loses the oldest.
pub(crate) const CAPACITY: usize = 4_096;

/// Signals within one process.
#[derive(Debug)]
pub struct LocalSignals(broadcast::Sender<Signal>);

impl Default for LocalSignals {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

#[async_trait]
impl Signals for LocalSignals {
    async fn send(&self, signals: &[Signal]) -> Result<(), SignalsError> {
        for signal in signals {
            // Nobody listens: nobody need hear it.
            _ = self.0.send(signal.clone());
        }
        Ok(())
    }

    fn listen(&self) -> broadcast::Receiver<Signal> {
        self.0.subscribe()
    }
}

/// What rings within so long goes together.
const TOGETHER: Duration = Duration::from_millis(5);

/// Passes on to the other processes what rings in this one, until `stop`.
pub async fn pass_on(bell: Bell, signals: SharedSignals, stop: CancellationToken) {
    let mut rings = bell.listen();
    loop {
        let first = match stop.run_until_cancelled(rings.recv()).await {
            Some(Ok(org)) => org,
            Some(Err(RecvError::Lagged(_))) => continue,
            Some(Err(RecvError::Closed)) | None => return,
        };
        sleep(TOGETHER).await;
        let mut grown = vec![first];
        while let Ok(org) = rings.try_recv() {
            if !grown.contains(&org) {
                grown.push(org);
            }
        }
        let told: Vec<_> = grown.into_iter().map(|org| Signal::Grown { org }).collect();
        if let Err(error) = signals.send(&told).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "other processes find out by themselves");
        }
    }
}
