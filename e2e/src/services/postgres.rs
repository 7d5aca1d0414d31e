//! A Postgres server. As root it runs under the user `postgres`, because it refuses to run as root.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::{net::TcpStream, sync::OnceCell};

use crate::{
    host::Host,
    ports::free_port,
    process::{Folder, Launch, Process, eventually},
};

pub struct Postgres {
    host: Host,
    port: u16,
    folder: Folder,
    bin: PathBuf,
    env: Vec<(String, String)>,
    process: Option<Process>,
}

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

impl Postgres {
    /// One server for all tests of this process; each takes a database of its own.
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
        Self::start_on(&Host::default(), Vec::new()).await
    }

    /// On a host, with this in its environment.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start_on(host: &Host, env: Vec<(String, String)>) -> Result<Self> {
        let bin = binaries()?;
        let folder = Folder::new("postgres")?;
        if geteuid().is_root() {
            let status = Command::new("chown").arg("postgres").arg(folder.path()).status()?;
            anyhow::ensure!(status.success(), "cannot give the data folder to the user postgres");
        }
        let mut init = Launch::new(bin.join("initdb"), folder.join("initdb.log")).args([
            "-D",
            &folder.join("data"),
            "-U",
            "reelgate",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        init = as_postgres(init);
        let mut running = init.start()?;
        let status = running.wait(Duration::from_secs(60))?;
        anyhow::ensure!(status.success(), "initdb failed: {}", running.output());
        drop(running);
        // Without more, those on other hosts are turned away whatever it listens on.
        File::options().append(true).open(folder.join("data/pg_hba.conf"))?.write_all(b"host all all all trust\n")?;
        let mut server = Self { host: host.clone(), port: 0, folder, bin, env, process: None };
        for _ in 0..5 {
            server.port = free_port();
            if server.launch().await.is_ok() {
                return Ok(server);
            }
        }
        bail!("postgres does not start: {}", std::fs::read_to_string(server.folder.join("postgres.log"))?)
    }

    async fn launch(&mut self) -> Result<()> {
        let (data, port, sockets) = (self.folder.join("data"), self.port.to_string(), self.folder.join("data"));
        let listen = format!("listen_addresses={}", self.host.address());
        let arguments = ["-D", &data, "-p", &port, "-k", &sockets, "-c", &listen];
        let tuning = ["-c", "max_connections=300", "-c", "shared_buffers=64MB"];
        // Set by `env`, which runs as the user already: what is preloaded must not meet the change of the user.
        let settings = self.env.iter().map(|(key, value)| format!("{key}={value}"));
        let program = self.bin.join("postgres").to_string_lossy().into_owned();
        let launch = Launch::new("env", self.folder.join("postgres.log")).on(&self.host);
        let launch = launch.args(settings).args([program]).args(arguments).args(tuning);
        let mut process = as_postgres(launch).start()?;
        let up = eventually("postgres answers", Duration::from_secs(30), async || {
            !process.is_running() || self.answers().await
        })
        .await;
        anyhow::ensure!(up.is_ok() && process.is_running(), "postgres ended: {}", process.output());
        self.process = Some(process);
        Ok(())
    }

    async fn answers(&self) -> bool {
        TcpStream::connect((self.host.address(), self.port)).await.is_ok() && self.psql("postgres", "select 1").is_ok()
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// The server refuses it; the error carries its words.
    pub fn psql(&self, database: &str, statement: &str) -> Result<String> {
        let output = self
            .program("psql", database)
            .args(["-v", "ON_ERROR_STOP=1", "-X", "-A", "-t", "-c", statement])
            .output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A backup as an operator takes it, while the server runs.
    ///
    /// # Errors
    /// `pg_dump` fails; the error carries its words.
    pub fn dump(&self, database: &str, to: &Path) -> Result<()> {
        self.tool("pg_dump", database, &["--format=custom", "--file"], to)
    }

    /// Puts a backup in the place of what a database holds.
    ///
    /// # Errors
    /// `pg_restore` fails; the error carries its words.
    pub fn restore(&self, database: &str, from: &Path) -> Result<()> {
        self.tool("pg_restore", database, &["--clean", "--if-exists", "--single-transaction"], from)
    }

    /// One of the server's own, as our user before a database.
    fn program(&self, name: &str, database: &str) -> Command {
        let (host, port) = (self.host.address().to_string(), self.port.to_string());
        let mut program = Command::new(self.bin.join(name));
        program.args(["-h", &host, "-p", &port, "-U", "reelgate", "-d", database]);
        program
    }

    fn tool(&self, name: &str, database: &str, options: &[&str], file: &Path) -> Result<()> {
        let output = self.program(name, database).args(options).arg(file).output()?;
        anyhow::ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Makes a new, empty database and returns its address.
    ///
    /// # Errors
    /// The server is away.
    pub fn fresh_database(&self) -> Result<String> {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        self.psql("postgres", &format!("create database {name}"))?;
        Ok(self.url(&name))
    }

    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://reelgate@{}:{}/{database}", self.host.address(), self.port)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// It does not end.
    pub fn crash(&mut self) -> Result<()> {
        // A stopped process takes no signal but KILL.
        self.thaw()?;
        let mut process = self.process.take().context("postgres is not running")?;
        process.signal(Signal::QUIT)?;
        process.wait(Duration::from_secs(20))?;
        Ok(())
    }

    /// Ends it as whoever restarts it in order does ("fast shutdown"): what is under way is rolled back, connections are closed.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().context("postgres is not running")?.end(Signal::INT)
    }

    /// Worse than away: it takes connections and answers nobody any more.
    ///
    /// # Errors
    /// It is not running.
    pub fn freeze(&self) -> Result<()> {
        self.signal_all(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It is not running.
    pub fn thaw(&self) -> Result<()> {
        self.signal_all(Signal::CONT)
    }

    /// The server first, so that it starts no further process; each connection is one, in a group of its own.
    fn signal_all(&self, signal: Signal) -> Result<()> {
        let server = self.process.as_ref().context("postgres is not running")?;
        server.signal(signal)?;
        let pid = server.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        for child in children.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)) {
            // It may have ended meanwhile.
            let _ = kill_process(child, signal);
        }
        Ok(())
    }

    /// Starts it again on the same port and data.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.crash()?;
        }
        self.launch().await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.is_some() {
            drop(self.crash());
        }
    }
}

fn as_postgres(launch: Launch) -> Launch {
    if geteuid().is_root() { launch.user("postgres") } else { launch }
}

fn binaries() -> Result<PathBuf> {
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .context("postgresql is not installed: run make deps")?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().context("postgresql is not installed: run make deps")
}
