//! The accept loop and the connections: limits in time and number, and an orderly end with a deadline.

use std::{future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::stall::StallGuard;
use crate::{config::HttpConfig, respond::Response};

mod stall;

/// hyper's buffer per connection: a slow client pins no more than this besides the chunk being sent.
const MAX_BUFFER: usize = 64 * 1024;
const MAX_H2_STREAMS: u32 = 100;
/// A list of headers this long is an attack.
const MAX_H2_HEADER_LIST: u32 = 32 * 1024;

/// What a listener serves: one request of one peer.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    fn handle(&self, peer: SocketAddr, request: Request<Incoming>) -> impl Future<Output = Response> + Send;
}

/// Serves until `stop`, then lets responses under way finish for at most the configured drain time.
pub(crate) async fn serve<H: Handler>(listener: TcpListener, config: HttpConfig, handler: H, stop: CancellationToken) {
    let server = Server {
        builder: builder(&config),
        slots: Arc::new(Semaphore::new(config.max_connections)),
        cut: CancellationToken::new(),
        tasks: TaskTracker::new(),
        config,
        handler,
        stop,
    };
    server.accept(&listener).await;
    drop(listener);
    server.drain().await;
}

struct Server<H> {
    builder: auto::Builder<TokioExecutor>,
    config: HttpConfig,
    handler: H,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
    /// Ends what the drain could not wait for.
    cut: CancellationToken,
    tasks: TaskTracker,
}

/// Without a timer hyper silently has no header timeout at all.
fn builder(config: &HttpConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout())
        .max_headers(config.max_headers)
        .max_buf_size(MAX_BUFFER)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_header_list_size(MAX_H2_HEADER_LIST)
        .max_send_buf_size(MAX_BUFFER)
        .keep_alive_interval(config.header_timeout())
        .keep_alive_timeout(config.header_timeout());
    builder
}

impl<H: Handler> Server<H> {
    async fn accept(&self, listener: &TcpListener) {
        while let Some((stream, peer, slot)) = self.next(listener).await {
            self.tasks.spawn(self.connection(stream, peer, slot));
        }
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

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        slot: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + use<H> {
        let (builder, handler) = (self.builder.clone(), self.handler.clone());
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        let (first, stall) = (self.config.header_timeout(), self.config.send_stall_timeout());
        async move {
            let _slot = slot;
            let _gauge = OpenConnection::new();
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection ended before it began");
                return;
            }
            let begun = CancellationToken::new();
            let seen = begun.clone();
            let service = service_fn(move |request| {
                seen.cancel();
                let handler = handler.clone();
                async move { Ok::<_, std::convert::Infallible>(handler.handle(peer, request).await) }
            });
            let mut connection = pin!(builder.serve_connection(TokioIo::new(StallGuard::new(stream, stall)), service));
            // hyper-util waits without limit for the bytes that tell HTTP/1 from HTTP/2: hence a limit on the first head.
            let outcome = tokio::select! {
                outcome = connection.as_mut() => Some(outcome),
                () = silence(&begun, first) => None,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        outcome = connection.as_mut() => Some(outcome),
                        () = cut.cancelled() => None,
                    }
                }
            };
            if let Some(Err(error)) = outcome {
                tracing::debug!(error = &*error, "a connection ended with an error");
            }
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

/// Returns when no request has begun within `limit`; never once one has.
async fn silence(begun: &CancellationToken, limit: Duration) {
    if timeout(limit, begun.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

/// Counts open connections for the metrics.
struct OpenConnection {}

impl OpenConnection {
    fn new() -> Self {
        metrics::gauge!("reelgate_http_connections").increment(1.0);
        Self {}
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metrics::gauge!("reelgate_http_connections").decrement(1.0);
    }
}
