//! A whole deployment on either footing, made of the real binary: `reelgate all` on a data folder, or gateways and workers
//! beside a Postgres, a Redis and a Garage. Maintenance runs often, so that tests need not wait for it.

mod builder;

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use futures_util::TryStreamExt;
use reelgate_common::{
    backends::open_storage,
    config::Secret,
    db::{Db, config::DatabaseConfig},
    storage::{SharedStorage, config::StorageConfig, s3::S3Storage},
};

use crate::{
    client::Client,
    host::{Host, Hosts},
    ports::free_port,
    process::{Folder, Launch, Process, eventually},
    services::Services,
    sign_in::{AUTH_SECRET, token_keys},
};

pub use self::builder::Builder;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);
/// On a host of its own nobody else has it.
const WORKER_OPS: u16 = 9_091;
/// Somebody else may have taken a port in between.
const TRIES: u32 = 3;

/// Short waits everywhere; every one of them within what the configuration accepts.
const FAST: &[(&str, &str)] = &[
    ("REELGATE__JOBS__LEASE_MS", "3000"),
    ("REELGATE__JOBS__HEARTBEAT_MS", "500"),
    ("REELGATE__JOBS__BACKOFF_BASE_MS", "100"),
    ("REELGATE__JOBS__BACKOFF_MAX_MS", "1000"),
    ("REELGATE__MAINTENANCE__TERM_MS", "2000"),
    ("REELGATE__MAINTENANCE__DISPATCH_MS", "100"),
    ("REELGATE__MAINTENANCE__REAP_MS", "200"),
    ("REELGATE__MAINTENANCE__SWEEP_MS", "200"),
    ("REELGATE__MAINTENANCE__UPLOAD_SILENCE_MS", "3000"),
    ("REELGATE__MAINTENANCE__PURGE_MS", "200"),
    ("REELGATE__MAINTENANCE__PROMOTE_MS", "500"),
    ("REELGATE__UPLOAD__TOUCH_MS", "500"),
    ("REELGATE__WORKER__POLL_MS", "100"),
    ("REELGATE__LOG__LEVEL", "info"),
];

/// Which backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing {
    /// SQLite, a directory, an in-process queue, all in one process.
    Embedded,
    /// Postgres, Garage, Redis, several processes.
    Production,
}

impl Footing {
    pub const ALL: [Self; 2] = [Self::Embedded, Self::Production];
}

/// A running deployment. Dropping it kills its processes.
pub struct Site {
    pub footing: Footing,
    demo: bool,
    disk_cache: bool,
    env: Vec<(String, String)>,
    programs: Option<PathBuf>,
    by_command: bool,
    hosts: Hosts,
    /// The one process of the embedded footing is here too.
    pub gateways: Vec<Gateway>,
    pub workers: Vec<Process>,
    services: Option<Services>,
    folder: Folder,
}

/// A process that serves the API.
#[derive(Debug)]
pub struct Gateway {
    pub process: Process,
    host: Host,
    port: u16,
    ops_port: u16,
    /// Not of the build that the test is of.
    is_foreign: bool,
}

impl Gateway {
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.host.address(), self.port)
    }

    /// Where `/healthz`, `/readyz` and `/metrics` are.
    #[must_use]
    pub fn ops_url(&self) -> String {
        format!("http://{}:{}", self.host.address(), self.ops_port)
    }

    #[must_use]
    pub fn client(&self) -> Client {
        let client = Client::new(self.url());
        if self.is_foreign { client.of_another_build() } else { client }
    }
}

impl Site {
    /// One gateway and, on the production footing, one worker, unless told otherwise.
    #[must_use]
    pub fn builder(footing: Footing) -> Builder {
        Builder::new(footing)
    }

    /// # Errors
    /// Something does not start; the error carries its output.
    pub async fn start(footing: Footing) -> Result<Self> {
        Self::builder(footing).start().await
    }

    /// Of the first gateway, not signed in.
    #[must_use]
    pub fn client(&self) -> Client {
        self.gateways[0].client()
    }

    /// # Errors
    /// The footing is embedded.
    pub fn services(&mut self) -> Result<&mut Services> {
        self.services.as_mut().context("the embedded footing has no services")
    }

    /// What `--demo` has printed: the address of the page, signed in.
    ///
    /// # Errors
    /// It was not started so.
    pub fn demo_address(&self) -> Result<String> {
        let output = self.gateways[0].process.output();
        let line = output.lines().find(|line| line.contains("/#jwt="));
        Ok(line.with_context(|| format!("no address: {output}"))?.to_owned())
    }

    /// For the processes that start from now on; wins over what was set before.
    pub fn set_env(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.env.push((key.into(), value.into()));
    }

    /// Of which build the processes are that start from now on: one in a folder, or (`None`) this one.
    pub fn set_programs(&mut self, folder: Option<PathBuf>) {
        self.programs = folder;
    }

    /// Where a gateway's cache has its disk tier, if the site was built with one.
    #[must_use]
    pub fn disk_cache(&self, gateway: usize) -> PathBuf {
        self.cache_folder(self.gateways[gateway].port)
    }

    fn cache_folder(&self, port: u16) -> PathBuf {
        self.folder.path().join(format!("cache-{port}"))
    }

    /// Another gateway; on the embedded footing the one process again, on the same data.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_gateway(&mut self) -> Result<()> {
        let host = self.hosts.gateway(self.gateways.len());
        for _ in 0..TRIES {
            if let Some(gateway) = self.gateway_on(&host, free_port(), free_port()).await? {
                self.gateways.push(gateway);
                return Ok(());
            }
        }
        bail!("no free ports for a gateway in {TRIES} tries")
    }

    /// SIGKILL to a gateway, and another one in its place: on its ports, on its data.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart_gateway(&mut self, index: usize) -> Result<()> {
        self.gateways[index].process.kill()?;
        self.start_gateway_again(index).await
    }

    /// One that has ended starts again in its place, and is ready.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_gateway_again(&mut self, index: usize) -> Result<()> {
        let Gateway { ref host, port, ops_port, .. } = self.gateways[index];
        let again = self.gateway_on(&host.clone(), port, ops_port).await?;
        self.gateways[index] = again.context("its ports were taken by somebody else")?;
        Ok(())
    }

    /// Starts a gateway that has died again in its place, as a supervisor does: it may take until what it needs is there.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn relaunch_gateway(&mut self, index: usize) -> Result<()> {
        let Gateway { ref host, port, ops_port, .. } = self.gateways[index];
        let process = self.launch_gateway(host, port, ops_port)?;
        self.gateways[index].process = process;
        self.gateways[index].is_foreign = self.programs.is_some();
        Ok(())
    }

    fn launch_gateway(&self, host: &Host, port: u16, ops_port: u16) -> Result<Process> {
        let name = format!("gateway-{port}");
        let [listen, ops_listen] = [port, ops_port].map(|port| format!("{}:{port}", host.address()));
        let mut launch = if self.runs_images() {
            let launch = self.launch(&name, "gateway", Vec::new())?;
            launch.env("REELGATE__HTTP__LISTEN", listen).env("REELGATE__HTTP__OPS_LISTEN", ops_listen)
        } else {
            self.launch(&name, "reelgate", self.gateway_arguments(&listen, &ops_listen))?
        }
        .on(host);
        if self.disk_cache {
            launch = launch.env("REELGATE__CACHE__DISK_DIR", self.cache_folder(port).to_string_lossy());
        }
        launch.start()
    }

    /// Nothing when a port is taken.
    async fn gateway_on(&self, host: &Host, port: u16, ops_port: u16) -> Result<Option<Gateway>> {
        let mut process = self.launch_gateway(host, port, ops_port)?;
        let ops = Client::new(format!("http://{}:{ops_port}", host.address()));
        eventually("the gateway is ready", START, async || {
            !process.is_running() || ops.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
        })
        .await
        .with_context(|| process.output())?;
        if process.is_running() {
            return Ok(Some(Gateway {
                process,
                host: host.clone(),
                port,
                ops_port,
                is_foreign: self.programs.is_some(),
            }));
        }
        let output = process.output();
        ensure!(output.contains("cannot listen"), "the gateway ended: {output}");
        Ok(None)
    }

    /// Whether gateways and workers are the small programs that images hold. A folder with another build has the command alone.
    fn runs_images(&self) -> bool {
        self.footing == Footing::Production && self.programs.is_none() && !self.by_command
    }

    fn gateway_arguments(&self, listen: &str, ops_listen: &str) -> Vec<String> {
        let listen = [format!("--listen={listen}"), format!("--ops-listen={ops_listen}")];
        let command = match self.footing {
            Footing::Embedded => vec!["all".to_owned(), format!("--data-dir={}", self.folder.join("data"))],
            Footing::Production => vec!["gateway".to_owned()],
        };
        command.into_iter().chain(listen).chain(self.demo.then(|| "--demo".to_owned())).collect()
    }

    /// # Errors
    /// It cannot be started, or the footing is embedded.
    pub fn start_worker(&mut self) -> Result<()> {
        ensure!(self.footing == Footing::Production, "the worker of the embedded footing is part of its process");
        self.workers.push(self.launch_worker(self.workers.len())?);
        Ok(())
    }

    /// Starts a worker that has died again in its place.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn relaunch_worker(&mut self, index: usize) -> Result<()> {
        self.workers[index] = self.launch_worker(index)?;
        Ok(())
    }

    fn launch_worker(&self, index: usize) -> Result<Process> {
        let name = format!("worker-{}", uuid::Uuid::new_v4().simple());
        let launch = match self.runs_images() {
            true => self.launch(&name, "worker", Vec::new())?,
            false => self.launch(&name, "reelgate", vec!["worker".to_owned()])?,
        };
        let mut launch = launch.on(&self.hosts.worker(index));
        if let Some(ops) = self.worker_ops(index) {
            launch = launch.env("REELGATE__WORKER__OPS_LISTEN", ops);
        }
        launch.env("REELGATE__WORKER__SCRATCH_DIR", self.scratch()).start()
    }

    /// `ADDRESS:PORT` of a worker's operations port, which those on hosts of their own have.
    #[must_use]
    pub fn worker_ops(&self, index: usize) -> Option<String> {
        self.hosts.workers.get(index).map(|host| format!("{}:{WORKER_OPS}", host.address()))
    }

    #[must_use]
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The scratch folder that all workers of the site share.
    #[must_use]
    pub fn scratch(&self) -> String {
        match self.footing {
            Footing::Embedded => self.folder.join("data/scratch"),
            Footing::Production => self.folder.join("scratch"),
        }
    }

    /// Runs a command of the site's to its end, on its data and with its settings. Whether it succeeded, and what it printed.
    ///
    /// # Errors
    /// It cannot be started or does not end.
    pub fn command(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let name = format!("command-{}", uuid::Uuid::new_v4().simple());
        let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        if self.footing == Footing::Embedded {
            arguments.push(format!("--data-dir={}", self.folder.join("data")));
        }
        let mut process = self.launch(&name, "reelgate", arguments)?.start()?;
        let status = process.wait(START)?;
        Ok((status.success(), process.output()))
    }

    fn migrate(&self) -> Result<()> {
        let (succeeded, output) = self.command(&["migrate"])?;
        ensure!(succeeded, "migrate failed: {output}");
        Ok(())
    }

    /// Nothing of the test's own environment gets into the process: a developer's settings must not.
    fn launch(&self, name: &str, what: &str, arguments: Vec<String>) -> Result<Launch> {
        let log = self.folder.join(&format!("{name}.log"));
        let fast = FAST.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let services = self.services.as_ref().map(Services::environment).unwrap_or_default();
        let program = match &self.programs {
            Some(folder) => folder.join(what),
            None => program(what)?,
        };
        Ok(Launch::new(program, log)
            .on(&self.hosts.client)
            .args(arguments)
            .clear_env()
            .env("REELGATE__AUTH__SECRET", AUTH_SECRET)
            .env("REELGATE__TOKENS__KEYS", token_keys())
            .envs(fast.chain(services).chain(self.env.iter().cloned())))
    }

    /// The files that all processes there ever were have printed to.
    ///
    /// # Errors
    /// The site's folder cannot be read.
    pub fn logs(&self) -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(self.folder.path())?.collect::<std::io::Result<Vec<_>>>()?;
        let paths = entries.into_iter().map(|entry| entry.path());
        Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "log")).collect())
    }

    /// What the gateways and workers have printed, for errors.
    #[must_use]
    pub fn output(&self) -> String {
        let gateways = self.gateways.iter().map(|gateway| gateway.process.output());
        gateways.chain(self.workers.iter().map(Process::output)).collect()
    }

    /// The data folder of the embedded footing.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The site's database, as another process sees it.
    ///
    /// # Errors
    /// It is away.
    pub async fn database(&self) -> Result<Db> {
        let url = match &self.services {
            None => format!("sqlite:{}", self.folder.join("data/reelgate.db")),
            Some(services) => services.database.clone(),
        };
        let config = DatabaseConfig { url: Secret::new(url), max_connections: 2, timeout_ms: 30_000 };
        Ok(Db::connect(&config).await?)
    }

    /// The site's object store, as another process sees it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn storage(&self) -> Result<SharedStorage> {
        let defaults = StorageConfig::default();
        match &self.services {
            None => {
                let url = format!("file:{}", self.folder.join("data/objects"));
                Ok(open_storage(&StorageConfig { url, ..defaults })?)
            }
            Some(Services { bucket, .. }) => {
                let (endpoint, region) = (Some(bucket.endpoint.clone()), Some(bucket.region.to_owned()));
                let config = StorageConfig { url: bucket.url.clone(), endpoint, region, ..defaults };
                Ok(std::sync::Arc::new(S3Storage::open(&config, bucket.environment())?))
            }
        }
    }

    /// Names of all objects below `prefix`, and of all unfinished multipart uploads there.
    ///
    /// # Errors
    /// The store is away.
    pub async fn stored(&self, prefix: &str) -> Result<Vec<String>> {
        let storage = self.storage()?;
        let objects: Vec<_> = storage.list(prefix).try_collect().await?;
        let pending = storage.list_multipart(prefix).await?;
        let objects = objects.iter().map(|object| object.key.to_string());
        Ok(objects.chain(pending.iter().map(|pending| format!("{} (unfinished)", pending.key))).collect())
    }
}

/// Names a folder with other programs than those beside the test, e.g. of a release build.
pub const PROGRAMS: &str = "REELGATE_PROGRAMS";

/// A program of the product, as cargo has built it beside this test.
///
/// # Errors
/// It has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let beside = test.parent().and_then(|deps| deps.parent()).context("the test has no folder")?;
    let folder = std::env::var_os(PROGRAMS).map_or_else(|| beside.to_owned(), PathBuf::from);
    let program = folder.join(name);
    ensure!(program.exists(), "{} is missing: run cargo build --workspace --bins", program.display());
    Ok(program)
}

/// A video of two seconds that a browser plays as it is: H.264 and AAC in an MP4 with its index in front.
///
/// # Errors
/// ffmpeg is not installed.
pub fn web_safe_clip(folder: &Folder) -> Result<PathBuf> {
    let path = folder.path().join("web-safe.mp4");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=2"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"])
        .args(["-c:a", "aac", "-b:a", "64k", "-movflags", "+faststart"])
        .arg(&path)
        .status()
        .context("ffmpeg is missing: run make deps")?;
    ensure!(status.success(), "ffmpeg could not make a clip");
    Ok(path)
}
