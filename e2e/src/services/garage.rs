//! Garage, a real S3 server, built once from crates.io and kept in a cache folder (`make garage`).

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tokio::{net::TcpStream, sync::OnceCell};

use crate::{
    host::Host,
    ports::free_port,
    process::{Folder, Launch, Process, eventually},
};

const VERSION: &str = "2.5.0";
const ENDING: Duration = Duration::from_secs(60);
const BUCKET: &str = "reelgate";
const ACCESS_KEY: &str = "GK0123456789abcdef01234567";
const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub struct Garage {
    host: Host,
    s3_port: u16,
    rpc_port: u16,
    folder: Folder,
    process: Option<Process>,
}

/// A prefix in the bucket, and how to reach it.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// `s3://reelgate/{prefix}`.
    pub url: String,
    /// `http://ADDRESS:PORT`.
    pub endpoint: String,
    pub region: &'static str,
    pub access_key: &'static str,
    pub secret_key: &'static str,
}

impl Bucket {
    /// The environment that a process of ours needs to use it.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("REELGATE__STORAGE__URL", self.url.as_str()),
            ("REELGATE__STORAGE__ENDPOINT", &self.endpoint),
            ("REELGATE__STORAGE__REGION", self.region),
            ("AWS_ACCESS_KEY_ID", self.access_key),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }
}

static SHARED: OnceCell<Garage> = OnceCell::const_new();

impl Garage {
    /// One server for all tests of this process; each takes a prefix of its own.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn shared() -> Result<&'static Self> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// A server of one's own, to be killed and restarted.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start() -> Result<Self> {
        Self::start_on(&Host::default()).await
    }

    /// The same on a host.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start_on(host: &Host) -> Result<Self> {
        let (host, folder) = (host.clone(), Folder::new("garage")?);
        let mut server = Self { host, s3_port: 0, rpc_port: 0, folder, process: None };
        for _ in 0..5 {
            (server.s3_port, server.rpc_port) = (free_port(), free_port());
            if server.restart().await.is_ok() {
                return Ok(server);
            }
        }
        bail!("garage does not start: {}", std::fs::read_to_string(server.folder.join("garage.log"))?)
    }

    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = None;
        let config = self.folder.join("garage.toml");
        std::fs::write(&config, self.config())?;
        let mut process = Launch::new(binary()?, self.folder.join("garage.log"))
            .args(["-c", &config, "server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS_KEY)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET_KEY)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET)
            .env("RUST_LOG", "garage=warn")
            .on(&self.host)
            .start()?;
        eventually("garage answers", Duration::from_secs(30), async || {
            !process.is_running() || TcpStream::connect((self.host.address(), self.s3_port)).await.is_ok()
        })
        .await?;
        ensure!(process.is_running(), "garage ended: {}", process.output());
        self.process = Some(process);
        Ok(())
    }

    fn config(&self) -> String {
        let (meta, data) = (self.folder.join("meta"), self.folder.join("data"));
        let (s3, rpc, address) = (self.s3_port, self.rpc_port, self.host.address());
        format!(
            "metadata_dir = \"{meta}\"\ndata_dir = \"{data}\"\ndb_engine = \"sqlite\"\nreplication_factor = 1\n\
             rpc_bind_addr = \"{address}:{rpc}\"\nrpc_public_addr = \"{address}:{rpc}\"\nrpc_secret = \"{SECRET_KEY}\"\n\
             [s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"{address}:{s3}\"\n"
        )
    }

    /// A prefix that nobody has used.
    #[must_use]
    pub fn fresh_prefix(&self) -> Bucket {
        Bucket {
            url: format!("s3://{BUCKET}/{}", uuid::Uuid::new_v4().simple()),
            endpoint: format!("http://{}:{}", self.host.address(), self.s3_port),
            region: "garage",
            access_key: ACCESS_KEY,
            secret_key: SECRET_KEY,
        }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.s3_port
    }

    /// # Errors
    /// It is not running.
    pub fn crash(&mut self) -> Result<()> {
        self.process.take().context("garage is not running")?.kill()
    }

    /// Ends it as whoever restarts it in order does.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("garage is not running")?;
        process.signal(Signal::TERM)?;
        // Whether it ends well says nothing: now and then 2.5.0 panics on its way out (`resync.rs`, a channel that is closed already).
        process.wait(ENDING)?;
        Ok(())
    }

    /// The running server, for signals.
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }
}

/// Where the server lies, for tests that start it in their own way.
///
/// # Errors
/// It has not been built.
pub fn binary() -> Result<PathBuf> {
    super::cached(&format!("garage-{VERSION}/bin/garage"), "make garage")
}
