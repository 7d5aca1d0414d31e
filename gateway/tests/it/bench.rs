//! One gateway in this process with its own folder, and a plain client. Ends with the test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use reelgate_common::{
    auth::{MintRequest, mint},
    backends::Backends,
    config::Secret,
    db::{Db, config::DatabaseConfig},
    http_client::{HttpClient, http_client},
    ids::{FileId, OrgId, ProcessId, UserId},
    job::{Fence, JobPolicy},
    key::Key,
    queue::memory::MemoryQueue,
    rendition::{Packaging, Piece, Rendition, RenditionKind, Role},
    storage::file::DirectoryStorage,
    timestamp::Timestamp,
    tokens::{Claims, Keyring, Scope, new_jti},
};
use reelgate_gateway::{Gateway, GatewayConfig, start};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(crate) struct Bench {
    pub backends: Backends,
    _folder: tempfile::TempDir,
    pub gateway: Gateway,
    pub stop: CancellationToken,
    config: GatewayConfig,
    client: HttpClient<Full<Bytes>>,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        Self::start_on(change, DatabaseConfig::default()).await
    }

    /// With a single connection to its database.
    pub(crate) async fn start_on_one_connection() -> Self {
        Self::start_on(|_| {}, DatabaseConfig { max_connections: 1, ..DatabaseConfig::default() }).await
    }

    async fn start_on(change: impl FnOnce(&mut GatewayConfig), database: DatabaseConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = Secret::new(format!("sqlite:{}", folder.path().join("test.db").display()));
        let db = Db::connect(&DatabaseConfig { url, ..database }).await.unwrap();
        reelgate_migrations::up(db.connection()).await.unwrap();
        let storage = Arc::new(DirectoryStorage::open(&folder.path().join("objects")).unwrap());
        let backends = Backends { db, storage, queue: Arc::new(MemoryQueue::default()) };
        backends.check_deployment().await.unwrap();

        let mut config = GatewayConfig::default();
        config.http.listen.set_port(0);
        config.http.ops_listen.set_port(0);
        config.auth.secret = Secret::new("a secret of the tests, long enough for HS256");
        config.tokens.keys = Keyring::generate();
        change(&mut config);
        let stop = CancellationToken::new();
        let gateway = start(config.clone(), backends.clone(), None, stop.clone()).await.unwrap();
        let client = http_client(Duration::from_secs(5));
        Self { backends, _folder: folder, gateway, stop, config, client }
    }

    /// The same gateway anew: what it held in memory is gone, what it has on disk is not.
    pub(crate) async fn restart(&mut self) {
        self.stop.cancel();
        self.gateway.finished().await;
        self.stop = CancellationToken::new();
        self.gateway = loop {
            // What the one before did not end in time still has its folder.
            match start(self.config.clone(), self.backends.clone(), None, self.stop.clone()).await {
                Ok(gateway) => break gateway,
                Err(_) => tokio::task::yield_now().await,
            }
        };
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.http_address()
    }

    /// A sign-in token.
    pub(crate) fn jwt(&self, user: &str, org: &str, roles: &[&str]) -> String {
        let request = MintRequest {
            sub: user.to_owned(),
            org: org.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            ttl: Duration::from_secs(60),
        };
        mint(&self.config.auth, &self.config.auth.secret, &request).unwrap()
    }

    pub(crate) fn alice(&self) -> String {
        self.jwt("alice", "acme", &[])
    }

    /// A stream token of alice's, signed as the gateway would.
    pub(crate) fn token(&self, change: impl FnOnce(&mut Claims)) -> String {
        let issued_at = Timestamp::now();
        let mut claims = Claims {
            jti: new_jti(),
            user: UserId::new("alice"),
            org: OrgId::new("acme"),
            scope: Scope::DEFAULT.to_vec(),
            files: None,
            issued_at,
            expires_at: issued_at.plus(Duration::from_secs(300)),
        };
        change(&mut claims);
        Keyring::new(&self.config.tokens).unwrap().sign(&claims)
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.ask_at(self.address(), method, path, headers, body).await
    }

    pub(crate) async fn ask_at(
        &self,
        address: SocketAddr,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, path, headers, Bytes::new()).await
    }

    /// Signed in as alice.
    pub(crate) async fn get_signed_in(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.alice());
        self.get(path, &[("authorization", &bearer)]).await
    }

    /// Uploads as alice and returns the file as the API shows it.
    pub(crate) async fn upload(&self, filename: &str, content: &[u8]) -> Value {
        let answer = self.upload_as(&self.alice(), filename, content).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.json()["files"][0].clone()
    }

    pub(crate) async fn upload_as(&self, jwt: &str, filename: &str, content: &[u8]) -> Answer {
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{filename}\"\r\n\r\n");
        let body = [head.as_bytes(), content, b"\r\n--x--\r\n"].concat();
        let bearer = format!("Bearer {jwt}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=x")];
        self.ask(Method::POST, "/v1/files", &headers, body).await
    }

    /// Claims a file's job, as a worker would.
    pub(crate) async fn claim(&self, file: &Value) -> Fence {
        let jobs = self.backends.db.jobs_of(&OrgId::new("acme"), id_of(file)).await.unwrap();
        let worker = ProcessId::new("worker");
        let attempt =
            self.backends.db.begin_attempt(jobs[0].id, &worker, &JobPolicy::default()).await.unwrap().unwrap();
        attempt.fence
    }

    /// Publishes the source under a rung's name, as a worker would.
    pub(crate) async fn publish(&self, fence: &Fence, name: &str, rank: i32, length: u64) {
        self.publish_layout(fence, name, rank, vec![Piece { object: Role::Source, offset: 0, length }]).await;
    }

    /// Publishes pieces of objects as a rung.
    pub(crate) async fn publish_layout(&self, fence: &Fence, name: &str, rank: i32, layout: Vec<Piece>) {
        self.backends.db.publish(fence, &Self::rendition(fence, name, rank, layout)).await.unwrap();
    }

    /// Publishes the source as a rung that can be cut into segments, with an index object of these bytes.
    pub(crate) async fn publish_packaged(&self, fence: &Fence, name: &str, summary: Value, index: Vec<u8>) {
        let layout = vec![Piece { object: Role::Source, offset: 0, length: 4 }];
        let mut rendition = Self::rendition(fence, name, 1, layout);
        let object = format!("{name}.index");
        let (org, file) = (OrgId::new("acme"), fence.file_id);
        let Fence { generation, attempt, .. } = *fence;
        let key = Key::Output { org, file, generation, attempt, name: object.clone() };
        self.backends.storage.put(&key, index.into()).await.unwrap();
        rendition.packaging = Some(Packaging { index: object, summary });
        self.backends.db.publish(fence, &rendition).await.unwrap();
    }

    fn rendition(fence: &Fence, name: &str, rank: i32, layout: Vec<Piece>) -> Rendition {
        Rendition {
            file_id: fence.file_id,
            generation: fence.generation,
            attempt: fence.attempt,
            name: name.to_owned(),
            kind: RenditionKind::Video,
            content_type: "video/mp4".to_owned(),
            size_bytes: layout.iter().map(|piece| piece.length).sum(),
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout,
            etag: format!("tag-{name}"),
            rank,
            packaging: None,
            details: None,
            earned: false,
            used_at: None,
            created_at: Timestamp::now(),
        }
    }
}

pub(crate) fn id_of(file: &Value) -> FileId {
    file["id"].as_str().unwrap().parse().unwrap()
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
