//! Uploads over a real socket: what the client reads, and what is left when it does not wait for it.

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
struct Server {
    address: SocketAddr,
    jwt: String,
    backends: Backends,
    gateway: Gateway,
    stop: CancellationToken,
    folder: TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::new("a secret of at least thirty-two bytes");
        let config = config(&secret);
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

    async fn connect(&self, framing: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: multipart/form-data; boundary=XX\r\n{framing}\r\n\r\n",
            self.jwt
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn post(&self, body: &[u8]) -> (u16, Value) {
        let mut stream = self.connect(&format!("Content-Length: {}", body.len())).await;
        stream.write_all(body).await.unwrap();
        answer(stream).await
    }

    /// Stops the gateway and counts what is left: rows, and files in the store but its mark.
    async fn left(self) -> (usize, usize) {
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

async fn answer(mut stream: TcpStream) -> (u16, Value) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--XX\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--XX--\r\n".to_vec()].concat()
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251) as u8 | 0x80).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_are_answered_one_by_one() {
    let server = Server::start().await;
    let (status, answer) = server.post(&form(&[file("film.mp4", &noise(1 << 20)), file("notes.txt", b"hello")])).await;
    assert_eq!((status, answer["files"].as_array().unwrap().len()), (200, 2));
    assert_eq!((&answer["files"][0]["state"], &answer["files"][1]["state"]), (&"staged".into(), &"ready".into()));
    assert_eq!(server.left().await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let stream = server.connect("Content-Length: 1000000000\r\nExpect: 100-continue").await;
    let (status, body) = answer(stream).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("file_too_large")));
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_on_sending_can_read_why_it_was_refused() {
    let server = Server::start().await;
    let (status, body) = server.post(&form(&[file("film.mp4", &noise(20 << 20))])).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("file_too_large")));
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_file_is_cut_at_its_limit() {
    let server = Server::start().await;
    let body = form(&[file("film.mp4", &noise((8 << 20) + 1))]);
    let mut stream = server.connect("Transfer-Encoding: chunked").await;
    stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    let (status, body) = answer(stream).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("file_too_large")));
    assert_eq!(body["files"][0]["error"]["code"], "file_too_large");
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_at_99_percent_leaves_nothing() {
    let server = Server::start().await;
    let body = form(&[file("film.mp4", &noise(4 << 20))]);
    let mut stream = server.connect(&format!("Content-Length: {}", body.len())).await;
    stream.write_all(&body[..body.len() * 99 / 100]).await.unwrap();
    drop(stream);
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_files_names_the_missing_field() {
    let server = Server::start().await;
    let (status, body) = server.post(b"--XX--\r\n").await;
    assert_eq!((status, &body["detail"][0]["loc"]), (422, &serde_json::json!(["body", "files"])));
    assert_eq!(server.left().await, (0, 0));
}
