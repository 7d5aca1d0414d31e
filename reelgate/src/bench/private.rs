//! A deployment of the bench's own: a gateway in this process on SQLite, a directory and the queue in memory, in a temporary folder that
//! goes when the bench ends. Encoding and streaming must not depend on how much a configured store is asked by others.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use reelgate_common::{
    auth::{MintRequest, config::AuthConfig, mint},
    backends::Backends,
    config::Secret,
    db::config::DatabaseConfig,
    http_client::{HttpClient, http_client},
    queue::config::QueueConfig,
    storage::config::StorageConfig,
    tokens::Keyring,
};
use reelgate_gateway::Gateway;
use reelgate_worker::WorkerConfig;
use tokio_util::sync::CancellationToken;

use crate::{parts, settings::Settings};

const CONNECTING: Duration = Duration::from_secs(5);
const SIGNED_IN: Duration = Duration::from_secs(3_600);
const BOUNDARY: &str = "reelgate-bench-boundary";

/// Removed with everything in it when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the bench's folder could not be removed");
        }
    }
}

pub(super) struct Private {
    folder: Folder,
    settings: Settings,
    backends: Backends,
    gateway: Gateway,
    client: HttpClient<Full<Bytes>>,
    jwt: String,
    stop: CancellationToken,
}

impl Private {
    pub(super) async fn start(configured: &Settings) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("reelgate-bench-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let folder = Folder(path);
        let settings = settings(configured, &folder.0);
        let backends = Backends::open(&settings.database, &settings.queue, &settings.storage).await?;
        parts::migrate_database(&backends.db).await?;
        backends.check_deployment().await?;
        let stop = CancellationToken::new();
        let gateway = reelgate_gateway::start(settings.gateway_config(), backends.clone(), None, stop.clone()).await?;
        let who = MintRequest { sub: "bench".to_owned(), org: "bench".to_owned(), roles: Vec::new(), ttl: SIGNED_IN };
        let jwt = mint(&settings.auth, &settings.auth.secret, &who).map_err(anyhow::Error::msg)?;
        Ok(Self { folder, settings, backends, gateway, client: http_client(CONNECTING), jwt, stop })
    }

    pub(super) fn backends(&self) -> &Backends {
        &self.backends
    }

    /// A worker that works on one film at a time, with all cores.
    pub(super) fn worker(&self) -> WorkerConfig {
        self.settings.worker_config()
    }

    /// Uploads a file as a browser would; its id.
    pub(super) async fn upload(&self, name: &str, content: &[u8]) -> anyhow::Result<String> {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let body = [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        let request = self
            .request(Method::POST, "/v1/files")
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(Full::from(body))?;
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        anyhow::ensure!(
            status == StatusCode::OK,
            "the upload was answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        Ok(answer["files"][0]["id"].as_str().context("the answer names no file")?.to_owned())
    }

    /// Reads a file as it was uploaded; how many bytes came.
    pub(super) async fn download(&self, file: &str) -> anyhow::Result<u64> {
        let request = self.request(Method::GET, &format!("/v1/files/{file}?rendition=source")).body(Full::default())?;
        let answer = self.client.request(request).await?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "the file was answered {}", answer.status());
        let (mut body, mut bytes) = (answer.into_body(), 0);
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(bytes)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let uri = format!("http://{}{path}", self.gateway.http_address());
        let request = Request::builder().method(method).uri(uri);
        request.header(header::AUTHORIZATION, format!("Bearer {}", self.jwt))
    }

    /// Stops the gateway before its folder goes.
    pub(super) async fn end(self) {
        let Self { folder, backends, gateway, stop, client, .. } = self;
        drop(client);
        stop.cancel();
        gateway.finished().await;
        backends.db.close().await;
        drop(folder);
    }
}

/// The operator's ladder, limits and cache, on backends in this folder, reachable from this machine alone.
fn settings(configured: &Settings, folder: &Path) -> Settings {
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut settings = configured.clone();
    settings.database = DatabaseConfig {
        url: Secret::new(format!("sqlite:{}", folder.join("reelgate.db").display())),
        ..DatabaseConfig::default()
    };
    settings.storage =
        StorageConfig { url: format!("file:{}", folder.join("objects").display()), ..StorageConfig::default() };
    settings.queue = QueueConfig::default();
    settings.auth = AuthConfig { secret: Secret::new(uuid::Uuid::new_v4().to_string()), ..AuthConfig::default() };
    settings.tokens.keys = Keyring::generate();
    (settings.http.listen, settings.http.ops_listen) = (free_port, free_port);
    (settings.http.tls_cert, settings.http.tls_key) = (None, None);
    settings.http.drain_seconds = 0;
    settings.http.requests_per_second = 0;
    settings.cache.disk_dir = None;
    settings.worker.scratch_dir = folder.join("scratch");
    (settings.worker.concurrency, settings.worker.threads) = (1, 0);
    settings.worker.ops_listen = None;
    settings.worker.poll_ms = 100;
    settings
}
