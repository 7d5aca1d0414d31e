//! The operators' listener: `/healthz`, `/readyz`, `/metrics`, `/scaling`, profiles, and `POST /drain`. Never on the API's port.

use std::sync::Arc;

use http::{
    HeaderValue, Method, Request, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use hyper::body::Incoming;
use reelgate_common::{
    metric::{DRAINING, UPLOADS_ACTIVE},
    profiles::{self, Profiles},
    readiness::readiness,
    telemetry::RenderMetrics,
};

use crate::{
    app::App,
    body,
    error::ApiError,
    respond::{Response, json},
    scaling,
    server::{Handler, Peer},
    tally,
};

#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) app: Arc<App>,
    pub(crate) metrics: Option<RenderMetrics>,
    pub(crate) profiles: Profiles,
}

impl Handler for Ops {
    async fn handle(&self, _peer: Peer, request: Request<Incoming>) -> Response {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/healthz" if reads => json(StatusCode::OK, &serde_json::json!({"status": "ok"})),
            "/readyz" if reads => ready(&self.app).await,
            "/metrics" if reads => self.metrics(),
            "/scaling" if reads => scaling(&self.app, request.uri()).await,
            "/drain" if request.method() == Method::POST => drain(&self.app),
            path if reads && path.starts_with(profiles::PREFIX) => self.profile(path, request.uri().query()).await,
            "/healthz" | "/readyz" | "/metrics" | "/scaling" => {
                ApiError::method_not_allowed("GET, HEAD").into_response()
            }
            "/drain" => ApiError::method_not_allowed("POST").into_response(),
            _ => ApiError::new(StatusCode::NOT_FOUND, "not_found", "Not Found").into_response(),
        }
    }
}

impl Ops {
    async fn profile(&self, path: &str, query: Option<&str>) -> Response {
        match self.profiles.answer(path, query).await {
            Ok(profile) => {
                let mut response = Response::new(body::full(profile));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(profiles::CONTENT_TYPE));
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(refused) => ApiError::new(refused.status, refused.code, refused.detail).into_response(),
        }
    }

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

async fn ready(app: &App) -> Response {
    let readiness = readiness(&app.backends(), app.draining.is_cancelled(), false).await;
    json(if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
}

/// As SIGTERM does it; whoever asked sees by `/healthz` when nobody answers any more.
fn drain(app: &App) -> Response {
    if !app.draining.is_cancelled() {
        tracing::info!("asked to drain: responses under way may finish");
        app.draining.cancel();
    }
    json(StatusCode::ACCEPTED, &serde_json::json!({"draining": true}))
}

async fn scaling(app: &App, uri: &Uri) -> Response {
    let said = match scaling::asked(uri) {
        Ok(lanes) => scaling::read(app, lanes).await,
        Err(refused) => Err(refused),
    };
    said.map_or_else(ApiError::into_response, |said| json(StatusCode::OK, &said))
}
