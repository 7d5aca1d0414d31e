//! Child processes that cannot outlive the test: killed on drop, and by the kernel when the test process dies.

use std::{
    fs::File,
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::host::Host;

type Spawn = Box<dyn FnOnce() + Send>;

/// The kernel sends the death signal when the spawning *thread* ends, and every test has a thread of its own:
/// so all children are spawned by this one, which lives as long as the process.
static SPAWNER: LazyLock<mpsc::Sender<Spawn>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel::<Spawn>();
    std::thread::Builder::new()
        .name("spawner".to_owned())
        .spawn(move || receiver.iter().for_each(|spawn| spawn()))
        .expect("a thread can be started");
    sender
});

/// How long who is asked to end may take, whatever it has to end first.
const ENDING: Duration = Duration::from_secs(180);

/// How to start a process.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    user: Option<String>,
    host: Host,
    log: PathBuf,
    directory: Option<PathBuf>,
    clear_env: bool,
    pipes: bool,
    death_signal: &'static str,
}

impl Launch {
    /// Output of the process goes to the file `log`.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            user: None,
            host: Host::default(),
            log: log.into(),
            directory: None,
            clear_env: false,
            pipes: false,
            death_signal: "KILL",
        }
    }

    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    #[must_use]
    pub fn envs(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(pairs);
        self
    }

    /// Nothing of this process's environment, only what `env` gives.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.clear_env = true;
        self
    }

    /// The test writes its standard input and reads its standard output; only its errors go to the log.
    #[must_use]
    pub fn pipes(mut self) -> Self {
        self.pipes = true;
        self
    }

    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Runs as another user; only possible as root.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Runs on this host; else where the test itself does.
    #[must_use]
    pub fn on(mut self, host: &Host) -> Self {
        self.host = host.clone();
        self
    }

    /// What the kernel sends when this process dies; KILL unless said otherwise.
    #[must_use]
    pub fn death_signal(mut self, signal: &'static str) -> Self {
        self.death_signal = signal;
        self
    }

    fn command(&self) -> Result<Command> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = self.host.command("setpriv");
        command.args(["--pdeathsig", self.death_signal]);
        if let Some(user) = &self.user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg("--").arg(&self.program).args(&self.args);
        if self.clear_env {
            let path = std::env::var_os("PATH").unwrap_or_default();
            command.env_clear().env("PATH", path);
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let (input, output) = match self.pipes {
            true => (Stdio::piped(), Stdio::piped()),
            false => (Stdio::null(), log.try_clone()?.into()),
        };
        command.process_group(0).stdin(input).stdout(output).stderr(log);
        Ok(command)
    }

    /// # Errors
    /// The program cannot be started.
    pub fn start(self) -> Result<Process> {
        let mut command = self.command()?;
        let (sender, receiver) = mpsc::channel();
        SPAWNER
            .send(Box::new(move || drop(sender.send(command.spawn()))))
            .ok()
            .context("the spawner thread has ended")?;
        let child = receiver.recv()?.with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Process { child, log: self.log })
    }
}

/// A running child. Dropping it kills its whole process group.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn raw_pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// # Errors
    /// The process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.raw_pid().context("no such process")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Its children: of a worker, its tasks.
    #[must_use]
    pub fn children(&self) -> Vec<Pid> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let ids: Vec<String> = children.collect();
        ids.iter().flat_map(|ids| ids.split_whitespace()).filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
    }

    /// SIGKILL to this process alone (its children see what a real crash would leave them), and waits for it.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// It still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("process {} still runs after {limit:?}", self.pid())
    }

    /// Asks it to end, and waits until it has ended well.
    ///
    /// # Errors
    /// It does not end, or fails.
    pub fn end(mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let status = self.wait(ENDING)?;
        ensure!(status.success(), "{status}: {}", self.output());
        Ok(())
    }

    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its standard input and output, once, if it was started with `pipes`.
    pub fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.child.stdin.take().zip(self.child.stdout.take())
    }

    /// What the process has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(&self.log) {
            drop(file.read_to_end(&mut text));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Makes `VmHWM` start anew from what the process holds now (proc(5), `clear_refs`).
    ///
    /// # Errors
    /// The process is gone.
    pub fn forget_peak(&self) -> Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5")?)
    }

    /// A figure in KiB out of `/proc/PID/status`, e.g. `VmHWM`.
    ///
    /// # Errors
    /// The process is gone, or there is no such figure.
    pub fn status_kib(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).context("no figure")?;
        Ok(line.split_whitespace().next().context("no number")?.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = self.raw_pid() {
            // It may have ended already.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        drop(self.child.wait());
    }
}

/// A temporary folder that also goes away when the test process is killed, or when it is held by a static.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _keeper: Child,
}

impl Folder {
    /// # Errors
    /// No folder can be made.
    pub fn new(name: &str) -> Result<Self> {
        let path = tempfile::Builder::new().prefix(&format!("reelgate-{name}-")).tempdir()?.keep();
        // The shell waits for the end of its standard input, which comes when this process ends, however it ends.
        let keeper = Command::new("sh")
            .args(["-c", "cat >/dev/null; sleep 1; rm -rf \"$0\""])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { path, _keeper: keeper })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside, as text.
    #[must_use]
    pub fn join(&self, name: &str) -> String {
        self.path.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.path));
        drop(self._keeper.stdin.take());
        drop(self._keeper.wait());
    }
}

/// Asks until the answer is yes. For things outside our reach that offer nothing to wait on.
///
/// # Errors
/// There was no yes within `limit`; `what` says of what.
pub async fn eventually(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        if ask().await {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("not within {limit:?}: {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
