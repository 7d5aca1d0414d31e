//! A listener: accepts connections within their limits in number, and ends in order, with a deadline. What happens on a
//! connection is `connection`'s.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming};
use reelgate_common::metric::{HTTP_CONNECTIONS, HTTP_CONNECTIONS_REFUSED};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    clients::{ClientSlot, Clients},
    connection::Connections,
};
use crate::{body::Outlet, config::HttpConfig, respond::Response, tls::Tls};

mod clients;
mod connection;
mod descriptors;
mod dispatcher;
mod limits;
mod linger;
mod sent;
mod sniff;
mod socket;
mod transport;
mod watch;

/// Who sends a request, and over what.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Where answers put parts of files, if the connection can send them.
    pub(crate) outlet: Option<Outlet>,
}
pub(crate) use descriptors::make_room;
pub use descriptors::short_of_descriptors;

/// What a listener serves: one request of one peer.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// What can be answered without waiting; `handle` answers all else.
    fn at_once(&self, _peer: &Peer, _request: &Request<Incoming>) -> Option<Response> {
        None
    }

    fn handle(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}

/// Serves until `stop`, then lets responses under way finish for at most the configured drain time.
pub(crate) async fn serve<H: Handler>(
    listener: TcpListener,
    tls: Option<Tls>,
    config: HttpConfig,
    handler: H,
    stop: CancellationToken,
) {
    let cut = CancellationToken::new();
    let server = Server {
        connections: Arc::new(Connections::new(&config, tls, handler, stop.clone(), cut.clone())),
        slots: Arc::new(Semaphore::new(config.max_connections)),
        clients: Clients::new(config.max_connections_per_client, config.max_connections),
        tasks: TaskTracker::new(),
        config,
        stop,
        cut,
    };
    server.accept(&listener).await;
    drop(listener);
    server.drain().await;
}

struct Server<H> {
    connections: Arc<Connections<H>>,
    config: HttpConfig,
    slots: Arc<Semaphore>,
    clients: Arc<Clients>,
    stop: CancellationToken,
    /// Ends what the drain could not wait for.
    cut: CancellationToken,
    tasks: TaskTracker,
}

impl<H: Handler> Server<H> {
    async fn accept(&self, listener: &TcpListener) {
        while let Some((stream, peer, slot)) = self.next(listener).await {
            let Some(client) = self.admit(peer) else {
                tracing::debug!(%peer, "a client has as many connections as it may");
                HTTP_CONNECTIONS_REFUSED.counter().increment(1);
                continue;
            };
            // In this order: who gets the place next must not find its client still counted.
            let held = (client, slot, OpenConnection::new());
            self.tasks.spawn(self.connections.clone().serve(stream, peer, held));
        }
    }

    /// A trusted proxy stands for many clients, so it is not counted.
    fn admit(&self, peer: SocketAddr) -> Option<ClientSlot> {
        if self.config.trusts(peer.ip()) { Some(ClientSlot::uncounted()) } else { self.clients.enter(peer.ip()) }
    }

    /// The next connection once there is room for it; `None` when it is time to stop.
    async fn next(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let accepted = async {
            let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => return (stream, peer, slot),
                    // Out of descriptors, or a client that has gone already: neither ends the server.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            next = accepted => Some(next),
        }
    }

    async fn drain(self) {
        self.tasks.close();
        let deadline = Duration::from_secs(self.config.drain_seconds);
        if timeout(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "the drain time is over: connections are cut");
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Counts open connections for the metrics.
struct OpenConnection {}

impl OpenConnection {
    fn new() -> Self {
        HTTP_CONNECTIONS.gauge().increment(1.0);
        Self {}
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        HTTP_CONNECTIONS.gauge().decrement(1.0);
    }
}
