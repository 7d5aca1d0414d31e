//! A gateway of the embedded footing on a real socket, and a client that writes its requests by hand.

use std::{net::SocketAddr, path::Path, time::Duration};

use reelgate_common::{
    auth::{MintRequest, mint},
    backends::Backends,
    config::Secret,
    db::{FileFilter, config::DatabaseConfig},
    ids::OrgId,
    queue::config::QueueConfig,
    storage::config::StorageConfig,
};
use reelgate_gateway::{Gateway, GatewayConfig, start};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

/// A gateway of the embedded footing whose limits are small.
pub(crate) struct Server {
    address: SocketAddr,
    jwt: String,
    pub(crate) backends: Backends,
    gateway: Gateway,
    stop: CancellationToken,
    folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::new("a secret of at least thirty-two bytes");
        let mut config = config(&secret);
        change(&mut config);
        let backends = backends(folder.path()).await;
        let request = MintRequest {
            sub: "alice".to_owned(),
            org: "acme".to_owned(),
            roles: Vec::new(),
            ttl: Duration::from_secs(600),
        };
        let jwt = mint(&config.auth, &secret, &request).unwrap();
        let stop = CancellationToken::new();
        let gateway = start(config, backends.clone(), None, stop.clone()).await.unwrap();
        Self { address: gateway.http_address(), jwt, backends, gateway, stop, folder }
    }

    pub(crate) async fn connect(&self, framing: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: multipart/form-data; boundary=XX\r\n{framing}\r\n\r\n",
            self.jwt
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn post(&self, body: &[u8]) -> (u16, Value) {
        let mut stream = self.connect(&format!("Content-Length: {}", body.len())).await;
        stream.write_all(body).await.unwrap();
        answer(stream).await
    }

    /// Names of all objects in the store.
    pub(crate) fn keys(&self) -> Vec<String> {
        let root = self.folder.path().join("objects");
        let mut keys = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    keys.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        keys
    }

    /// The `Content-Disposition` of a file's source.
    pub(crate) async fn disposition(&self, id: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "GET /v1/files/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            self.jwt
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let head = String::from_utf8(bytes).unwrap();
        let lines: Vec<_> = head.split("\r\n").filter_map(|line| line.strip_prefix("content-disposition: ")).collect();
        assert_eq!(lines.len(), 1, "{head}");
        lines[0].to_owned()
    }

    /// Stops the gateway and counts what is left: rows, and files in the store but its mark.
    pub(crate) async fn left(self) -> (usize, usize) {
        self.stop.cancel();
        self.gateway.finished().await;
        let filter = FileFilter { limit: 200, ..FileFilter::default() };
        let rows = self.backends.db.list_files(&OrgId::new("acme"), &filter).await.unwrap().len();
        (rows, files_below(&self.folder.path().join("objects")) - 1)
    }
}

fn config(secret: &Secret) -> GatewayConfig {
    let mut config = GatewayConfig::default();
    config.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.http.ops_listen = config.http.listen;
    config.auth.secret = secret.clone();
    config.tokens.keys = Secret::new("one:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    config.upload.max_file_bytes = 8 << 20;
    config.upload.min_part_bytes = 256 << 10;
    config
}

async fn backends(folder: &Path) -> Backends {
    let url = |scheme: &str, name: &str| format!("{scheme}:{}", folder.join(name).display());
    let database = DatabaseConfig { url: Secret::new(url("sqlite", "test.db")), ..DatabaseConfig::default() };
    let storage = StorageConfig { url: url("file", "objects"), ..StorageConfig::default() };
    let backends = Backends::open(&database, &QueueConfig::default(), &storage).await.unwrap();
    reelgate_migrations::up(backends.db.connection()).await.unwrap();
    backends.check_deployment().await.unwrap();
    backends
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

pub(crate) async fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

pub(crate) fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

pub(crate) fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--XX--\r\n".to_vec()].concat()
}

pub(crate) fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251) as u8 | 0x80).collect()
}
