//! The operators' listener: `/healthz`, `/readyz`, `/metrics`. Never on the API's port.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use hyper::body::Incoming;
use reelgate_common::{
    metric::{DRAINING, UPLOADS_ACTIVE},
    telemetry::RenderMetrics,
};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    app::App,
    body,
    error::ApiError,
    respond::{Response, json},
    server::{Handler, Peer},
    tally,
};

/// Longest wait for one dependency: a probe must answer while they hang.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) app: Arc<App>,
    pub(crate) metrics: Option<RenderMetrics>,
}

impl Handler for Ops {
    async fn handle(&self, _peer: Peer, request: Request<Incoming>) -> Response {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return ApiError::method_not_allowed("GET, HEAD").into_response();
        }
        match request.uri().path() {
            "/healthz" => json(StatusCode::OK, &serde_json::json!({"status": "ok"})),
            "/readyz" => readiness(&self.app).await,
            "/metrics" => self.metrics(),
            _ => ApiError::new(StatusCode::NOT_FOUND, "not_found", "Not Found").into_response(),
        }
    }
}

impl Ops {
    fn metrics(&self) -> Response {
        self.app.cache.measure();
        tally::tell();
        UPLOADS_ACTIVE.set(self.app.uploads.active() as u64);
        DRAINING.set(u64::from(self.app.draining.is_cancelled()));
        let text = self.metrics.as_ref().map(|render| render()).unwrap_or_default();
        let mut response = Response::new(body::full(text));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    draining: bool,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    database: Check,
    storage: Check,
    queue: Check,
}

#[derive(Serialize)]
struct Check {
    service: &'static str,
    ok: bool,
    /// Whether requests fail without it. Without the queue, work only waits.
    needed: bool,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

async fn readiness(app: &App) -> Response {
    let (database, storage, queue) = tokio::join!(
        check(app.db.service(), true, app.db.ping()),
        check(app.storage.service(), true, app.storage.ping(PATIENCE)),
        check(app.queue.service(), false, app.queue.ping()),
    );
    let draining = app.draining.is_cancelled();
    let ready = !draining && [&database, &storage, &queue].iter().all(|check| check.ok || !check.needed);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Readiness { ready, draining, checks: Checks { database, storage, queue } })
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
