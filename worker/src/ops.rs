//! The operators' listener of a worker: `/healthz`, `/readyz`, `/metrics`, profiles, and `POST /drain`. Nobody else asks a worker anything, so it
//! answers few at once, small requests, and never waits for long.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use reelgate_common::{
    backends::Backends,
    metric::DRAINING,
    profiles::{self, Profiles, Refusal},
    readiness::readiness,
    telemetry::RenderMetrics,
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Connections at once.
const MOST: usize = 64;
/// Time for a request's head, and for all of a connection.
const HEAD: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(60);
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";

#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) backends: Backends,
    pub(crate) metrics: Option<RenderMetrics>,
    pub(crate) profiles: Profiles,
    pub(crate) drain: CancellationToken,
}

/// # Errors
/// The address is taken.
pub(crate) async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(ops = %listener.local_addr()?, "the worker's operations port listens");
    Ok(listener)
}

impl Ops {
    /// Answers until it is dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MOST));
        let mut connections = JoinSet::new();
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _)) => drop(connections.spawn(self.clone().connection(stream, place))),
                // Out of descriptors, or a client that has gone already.
                Err(error) => {
                    tracing::warn!(%error, "a connection of the operations port could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    async fn connection(self, stream: TcpStream, _place: OwnedSemaphorePermit) {
        let service = service_fn(|request| self.answer(request));
        let mut server = http1::Builder::new();
        let served =
            server.timer(TokioTimer::new()).header_read_timeout(HEAD).serve_connection(TokioIo::new(stream), service);
        // Whoever breaks off has broken off.
        _ = timeout(WHOLE, served).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        Ok(match request.uri().path() {
            "/healthz" if reads => said(StatusCode::OK, JSON, json!({"status": "ok"}).to_string()),
            "/readyz" if reads => self.readiness().await,
            "/metrics" if reads => said(StatusCode::OK, TEXT, self.figures()),
            "/drain" if request.method() == Method::POST => self.begin_drain(),
            path if reads && path.starts_with(profiles::PREFIX) => self.profile(path, request.uri().query()).await,
            "/healthz" | "/readyz" | "/metrics" => refused("GET, HEAD"),
            "/drain" => refused("POST"),
            _ => said(StatusCode::NOT_FOUND, JSON, json!({"detail": "Not Found", "code": "not_found"}).to_string()),
        })
    }

    fn figures(&self) -> String {
        DRAINING.set(u64::from(self.drain.is_cancelled()));
        self.metrics.as_ref().map(|render| render()).unwrap_or_default()
    }

    async fn readiness(&self) -> Response<Full<Bytes>> {
        let readiness = readiness(&self.backends, self.drain.is_cancelled(), true).await;
        let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        said(status, JSON, serde_json::to_string(&readiness).expect("our own types always serialise"))
    }

    async fn profile(&self, path: &str, query: Option<&str>) -> Response<Full<Bytes>> {
        match self.profiles.answer(path, query).await {
            Ok(profile) => said(StatusCode::OK, profiles::CONTENT_TYPE, profile),
            Err(Refusal { status, code, detail }) => {
                said(status, JSON, json!({"detail": detail, "code": code}).to_string())
            }
        }
    }

    fn begin_drain(&self) -> Response<Full<Bytes>> {
        if !self.drain.is_cancelled() {
            tracing::info!("asked to drain: no new jobs, those that run may end");
            self.drain.cancel();
        }
        said(StatusCode::ACCEPTED, JSON, json!({"draining": true}).to_string())
    }
}

fn said(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refused(allowed: &'static str) -> Response<Full<Bytes>> {
    let text = json!({"detail": "Method Not Allowed", "code": "method_not_allowed"}).to_string();
    let mut response = said(StatusCode::METHOD_NOT_ALLOWED, JSON, text);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
