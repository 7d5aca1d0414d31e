//! Moto, an S3 server that keeps old versions of objects (`scripts/install-moto`). Everything lies in its memory.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use http::{Method, StatusCode};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::Bucket;
use crate::{
    ports::free_port,
    process::{Folder, Launch, Process, eventually},
};

const VERSION: &str = "5.2.5";
const BUCKET: &str = "versioned";
const ENABLED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

pub struct Moto {
    port: u16,
    process: Process,
    _folder: Folder,
}

impl Moto {
    /// A server with one bucket that keeps versions.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start() -> Result<Self> {
        for _ in 0..5 {
            let mut server = Self::on(free_port())?;
            let up = eventually("moto answers", Duration::from_secs(60), async || {
                !server.process.is_running() || server.ask(Method::GET, "/", "").await.is_ok()
            })
            .await;
            if up.is_ok() && server.process.is_running() {
                server.ask(Method::PUT, &format!("/{BUCKET}"), "").await?;
                server.ask(Method::PUT, &format!("/{BUCKET}?versioning"), ENABLED).await?;
                return Ok(server);
            }
        }
        bail!("moto does not start")
    }

    fn on(port: u16) -> Result<Self> {
        let folder = Folder::new("moto")?;
        let process = Launch::new(
            super::cached(&format!("moto-{VERSION}/bin/moto_server"), "scripts/install-moto")?,
            folder.join("moto.log"),
        )
        .args(["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()])
        .start()?;
        Ok(Self { port, process, _folder: folder })
    }

    #[must_use]
    pub fn bucket(&self) -> Bucket {
        Bucket {
            url: format!("s3://{BUCKET}/media"),
            endpoint: format!("http://127.0.0.1:{}", self.port),
            region: "us-east-1",
            access_key: "anybody",
            secret_key: "anything",
        }
    }

    async fn ask(&self, method: Method, path: &str, body: &'static str) -> Result<()> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port))
            .header("authorization", "AWS4-HMAC-SHA256 Credential=anybody/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
            .body(Full::new(bytes::Bytes::from_static(body.as_bytes())))?;
        let answer = client.request(request).await?;
        ensure!(answer.status() == StatusCode::OK, "moto answers {}", answer.status());
        Ok(())
    }
}
