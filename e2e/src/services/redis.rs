//! A Redis server without persistence.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    host::Host,
    ports::free_port,
    process::{Folder, Launch, Process, eventually},
};

pub struct Redis {
    host: Host,
    port: u16,
    folder: Folder,
    env: Vec<(String, String)>,
    process: Option<Process>,
}

impl Redis {
    /// # Errors
    /// It cannot be started.
    pub async fn start() -> Result<Self> {
        Self::start_with(Vec::new()).await
    }

    /// The same with this in its environment.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start_with(env: Vec<(String, String)>) -> Result<Self> {
        Self::start_on(&Host::default(), env).await
    }

    /// On a host, with this in its environment.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start_on(host: &Host, env: Vec<(String, String)>) -> Result<Self> {
        let mut server = Self { host: host.clone(), port: 0, folder: Folder::new("redis")?, env, process: None };
        for _ in 0..5 {
            server.port = free_port();
            if server.restart().await.is_ok() {
                return Ok(server);
            }
        }
        bail!("redis does not start: {}", std::fs::read_to_string(server.folder.join("redis.log"))?)
    }

    /// Starts it on its port; empty, since nothing is kept.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = None;
        let (port, address) = (self.port.to_string(), self.host.address().to_string());
        let mut process = Launch::new("redis-server", self.folder.join("redis.log"))
            .args(["--port", &port, "--bind", &address, "--protected-mode", "no", "--save", "", "--appendonly", "no"])
            .args(["--maxmemory-policy", "noeviction"])
            .envs(self.env.iter().cloned())
            .directory(self.folder.path())
            .on(&self.host)
            .start()?;
        eventually("redis answers", Duration::from_secs(10), async || {
            !process.is_running() || self.command("PING").await.is_ok_and(|answer| answer.starts_with("+PONG"))
        })
        .await?;
        anyhow::ensure!(process.is_running(), "redis ended: {}", process.output());
        self.process = Some(process);
        Ok(())
    }

    /// Ends it at once; all data is gone.
    ///
    /// # Errors
    /// It is not running.
    pub fn crash(&mut self) -> Result<()> {
        self.process.take().context("redis is not running")?.kill()
    }

    /// Ends it as whoever restarts it in order does; all data is gone.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().context("redis is not running")?.end(Signal::TERM)
    }

    /// SIGSTOP: accepts connections and never answers.
    ///
    /// # Errors
    /// It is not running.
    pub fn freeze(&self) -> Result<()> {
        self.process.as_ref().context("redis is not running")?.signal(Signal::STOP)
    }

    /// # Errors
    /// It is not running.
    pub fn thaw(&self) -> Result<()> {
        self.process.as_ref().context("redis is not running")?.signal(Signal::CONT)
    }

    /// Sends one inline command and returns the raw answer (its first 64 KiB).
    ///
    /// # Errors
    /// It is away.
    pub async fn command(&self, line: &str) -> Result<String> {
        let mut stream = TcpStream::connect((self.host.address(), self.port)).await?;
        stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        let mut answer = vec![0; 64 * 1024];
        let length = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut answer)).await??;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}:{}", self.host.address(), self.port)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
