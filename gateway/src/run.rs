//! Starting and stopping a gateway: both listeners, the loops of maintenance, and the order in which they end.

use std::{io, net::SocketAddr};

use reelgate_common::{backends::Backends, config::ConfigError, profiles::Profiles, telemetry::RenderMetrics};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    cache_upkeep,
    config::GatewayConfig,
    events, maintenance,
    ops::Ops,
    server::{make_room, serve},
    service::Api,
    tls::{Tls, TlsError},
};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Keys(String),
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// A running gateway. Dropping it does not stop it: cancel the token given to `start`.
pub struct Gateway {
    http_address: SocketAddr,
    ops_address: SocketAddr,
    tasks: TaskTracker,
}

impl Gateway {
    /// Where the API is, with the port that was taken.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops_address
    }

    /// Returns when the gateway has stopped: drained, or past its deadline.
    pub async fn finished(&self) {
        self.tasks.wait().await;
    }
}

/// Starts a gateway on migrated backends and returns once it listens. Cancelling `stop` drains it.
///
/// # Errors
/// A key of the configuration or a certificate is refused, or an address is taken.
pub async fn start(
    mut config: GatewayConfig,
    backends: Backends,
    metrics: Option<RenderMetrics>,
    stop: CancellationToken,
) -> Result<Gateway, StartError> {
    config.validate()?;
    config.http.max_connections = make_room(config.http.max_connections);
    let tls = Tls::start(&config.http, stop.clone())?;
    let (http, http_address) = listen(config.http.listen).await?;
    let (ops, ops_address) = listen(config.http.ops_listen).await?;
    let (config_http, profiles) = (config.http.clone(), Profiles::new(config.profiling));
    let app = App::new(config, backends, stop.clone()).await.map_err(StartError::Keys)?;
    let tasks = TaskTracker::new();
    maintenance::spawn(&app, &tasks, &stop);
    events::spawn(&app, &tasks, &stop);
    tasks.spawn(cache_upkeep::run(app.clone(), stop.clone()));

    // Probes go on being answered ("draining") until the last response has gone.
    let ops_stop = CancellationToken::new();
    let ops_end = ops_stop.clone().drop_guard();
    tasks.spawn(serve(ops, None, config_http.clone(), Ops { app: app.clone(), metrics, profiles }, ops_stop));
    tasks.spawn(async move {
        let _ops_end = ops_end;
        serve(http, tls, config_http, Api::new(app.clone()), stop).await;
        app.uploads.settle().await;
    });
    tasks.close();
    tracing::info!(http = %http_address, ops = %ops_address, "the gateway listens");
    Ok(Gateway { http_address, ops_address, tasks })
}

/// `start`, and wait for the end.
///
/// # Errors
/// As `start`.
pub async fn run(
    config: GatewayConfig,
    backends: Backends,
    metrics: Option<RenderMetrics>,
    stop: CancellationToken,
) -> Result<(), StartError> {
    start(config, backends, metrics, stop).await?.finished().await;
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}
