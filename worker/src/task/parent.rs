//! The parent's side of a task: starts the child, hears what it says, and kills it when it gets no further. Nothing that
//! the child says is believed without a look; what it is worth is decided by who asked for the task.

use std::{
    fs::{self, File},
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use reelgate_common::file::Failure;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::{AbortOnDropHandle, TaskTracker},
};

use super::{
    launcher::{Launcher, describe},
    lines::Lines,
    protocol::{Event, REQUEST_FILE, Request, TASK_ARGUMENT},
    words::{LastWords, clean_failure},
};
use crate::{heartbeat::Progress, scratch::Scratch};

/// More than these answers to one request are no answers.
const MAX_ANSWERS: usize = 256;
/// Time between the end of the events and the end of the process.
const EXIT_GRACE: Duration = Duration::from_secs(10);
/// Time for the last words to arrive after the process has ended.
const WORDS_GRACE: Duration = Duration::from_secs(1);

/// How long a task may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Without getting any further.
    pub(crate) no_progress: Duration,
    /// In all.
    pub(crate) wall: Duration,
}

/// Starts tasks. One per worker.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    pub(crate) launcher: Launcher,
    pub(crate) program: PathBuf,
}

/// What a task is to be started with.
pub(crate) struct Order<'a> {
    pub(crate) request: &'a Request,
    pub(crate) source: File,
    /// The child's working directory, inside `scratch`.
    pub(crate) folder: &'a Path,
    pub(crate) scratch: Arc<Scratch>,
    pub(crate) limits: Limits,
    /// Follows the child's progress.
    pub(crate) progress: Option<Progress>,
}

/// A running task; dropping it kills the child and all that it has started.
#[derive(Debug)]
pub(crate) struct Task {
    said: mpsc::UnboundedReceiver<Result<Event, Failure>>,
    _kill: DropGuard,
}

impl Task {
    /// The next answer, or nothing when the child has done all and ended well.
    ///
    /// # Errors
    /// The child said that it cannot, crashed, was killed, or talked nonsense.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        match self.said.recv().await {
            Some(Ok(Event::Done)) => Ok(None),
            Some(answer) => answer.map(Some),
            None => Err(crash("The task's supervisor has ended.", "")),
        }
    }
}

impl Tasks {
    /// Starts a task. `tracker` counts it until the process is reaped, so that its folder can be removed safely.
    ///
    /// # Errors
    /// The scratch folder or the system has no room for it.
    pub(crate) async fn start(&self, order: Order<'_>, tracker: &TaskTracker) -> io::Result<Task> {
        fs::write(order.folder.join(REQUEST_FILE), serde_json::to_vec(order.request)?)?;
        let mut command = Command::new(&self.program);
        command
            .arg(TASK_ARGUMENT)
            .env_clear()
            .current_dir(order.folder)
            .stdin(Stdio::from(order.source))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let child = self.launcher.spawn(command).await?;
        let (say, said) = mpsc::unbounded_channel();
        let kill = CancellationToken::new();
        let supervisor = Supervisor {
            group: Group::of(&child),
            child,
            limits: order.limits,
            progress: order.progress,
            say,
            kill: kill.clone(),
            told: None,
            answers: 0,
            _scratch: order.scratch,
        };
        tracker.spawn(supervisor.run());
        Ok(Task { said, _kill: kill.drop_guard() })
    }
}

/// The child's process group. A runaway libav ignores SIGTERM, so there is only SIGKILL.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn kill(&self) {
        if let Some(group) = self.0 {
            // An error says that it has ended by itself.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

/// How listening ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Standard output was closed: the child has ended or is about to.
    Closed,
    /// Nobody wants the answer any more.
    Unwanted,
    Stuck,
    TooLong,
    Babble,
}

/// What the child says last.
#[derive(Debug)]
enum Told {
    Done,
    Failed(Failure),
}

/// Owns the child until it is reaped, whatever becomes of those who wait for its answers.
struct Supervisor {
    child: Child,
    group: Group,
    limits: Limits,
    progress: Option<Progress>,
    say: mpsc::UnboundedSender<Result<Event, Failure>>,
    kill: CancellationToken,
    told: Option<Told>,
    answers: usize,
    /// Keeps the folder until nobody can write into it.
    _scratch: Arc<Scratch>,
}

impl Supervisor {
    async fn run(mut self) {
        let words = self.child.stderr.take().map(|stderr| AbortOnDropHandle::new(tokio::spawn(listen(stderr))));
        let end = self.hear().await;
        let status = self.reap(end).await;
        let words = last_words(words).await;
        let outcome = self.judge(end, status, &words);
        if let Err(failure) = &outcome
            && end != End::Unwanted
        {
            tracing::info!(code = %failure.code, last_words = %words, "a task ended badly");
        }
        drop(self.say.send(outcome.map(|()| Event::Done)));
    }

    async fn hear(&mut self) -> End {
        let Some(stdout) = self.child.stdout.take() else { return End::Babble };
        let mut lines = Lines::new(stdout);
        let wall = Instant::now() + self.limits.wall;
        let mut stuck = Instant::now() + self.limits.no_progress;
        loop {
            let line = tokio::select! {
                biased;
                () = self.kill.cancelled() => return End::Unwanted,
                () = sleep_until(wall) => return End::TooLong,
                () = sleep_until(stuck) => return End::Stuck,
                line = lines.next() => line,
            };
            let event = match line {
                Ok(Some(line)) => serde_json::from_slice(&line),
                Ok(None) => return End::Closed,
                Err(_) => return End::Babble,
            };
            match event.ok().and_then(|event| self.take(event)) {
                Some(true) => stuck = Instant::now() + self.limits.no_progress,
                Some(false) => {}
                None => return End::Babble,
            }
        }
    }

    /// Whether the event says that the task got further; nothing when it may not come.
    fn take(&mut self, event: Event) -> Option<bool> {
        if self.told.is_some() {
            return None;
        }
        match event {
            Event::Progress { fraction } => {
                return Some(self.progress.as_ref().is_some_and(|progress| progress.advance(fraction)));
            }
            Event::Done => self.told = Some(Told::Done),
            Event::Failed { failure } => self.told = Some(Told::Failed(failure)),
            answer => {
                self.answers += 1;
                if self.answers > MAX_ANSWERS {
                    return None;
                }
                drop(self.say.send(Ok(answer)));
            }
        }
        Some(true)
    }

    /// Ends the whole group and reaps the child.
    async fn reap(&mut self, end: End) -> Option<ExitStatus> {
        if end == End::Closed
            && let Ok(Ok(status)) = timeout(EXIT_GRACE, self.child.wait()).await
        {
            // Whatever it has left running.
            self.group.kill();
            return Some(status);
        }
        self.group.kill();
        self.child.wait().await.ok()
    }

    fn judge(&mut self, end: End, status: Option<ExitStatus>, words: &str) -> Result<(), Failure> {
        match end {
            End::Unwanted => Err(crash("The task was stopped.", "")),
            End::Stuck => Err(failure(
                "task_stuck",
                format!("Processing got no further for {} seconds and was stopped.", self.limits.no_progress.as_secs()),
            )),
            End::TooLong => Err(failure(
                "task_too_long",
                format!("Processing took longer than {} seconds and was stopped.", self.limits.wall.as_secs()),
            )),
            End::Babble => Err(crash("The task said something that cannot be understood.", words)),
            End::Closed => match (status, self.told.take()) {
                (Some(status), Some(Told::Done)) if status.success() => Ok(()),
                (Some(status), Some(Told::Failed(failure))) if status.success() => Err(clean_failure(failure)),
                (status, _) => Err(crash_of(status, words)),
            },
        }
    }
}

/// What an unexpected end of the child means.
fn crash_of(status: Option<ExitStatus>, words: &str) -> Failure {
    let Some(status) = status else { return crash("The task ended in an unknown way.", words) };
    let out_of_memory = words.contains("memory allocation of") && status.signal() == Some(Signal::ABORT.as_raw());
    match status.signal().and_then(Signal::from_named_raw) {
        // We did not send it, so the system did: it had no memory left.
        Some(Signal::KILL) => failure("task_killed_memory", "Processing needs more memory than there is.".to_owned()),
        _ if out_of_memory => {
            failure("task_killed_memory", "Processing needs more memory than it may take.".to_owned())
        }
        Some(Signal::XCPU) => failure("task_cpu_limit", "Processing took more computing time than it may.".to_owned()),
        Some(Signal::XFSZ) => failure("task_output_limit", "Processing made a file larger than it may be.".to_owned()),
        _ => crash(&format!("Processing crashed ({}).", describe(status)), words),
    }
}

fn crash(what: &str, words: &str) -> Failure {
    let last = words.lines().rev().find(|line| !line.trim().is_empty());
    let message = last.map_or_else(|| what.to_owned(), |line| format!("{what} Its last words: {}", line.trim()));
    clean_failure(failure("task_crashed", message))
}

fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.to_owned(), message, retryable: true }
}

async fn listen(mut stderr: impl AsyncRead + Unpin) -> LastWords {
    let mut words = LastWords::default();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        words.push(&buffer[..read]);
    }
    words
}

async fn last_words(listener: Option<AbortOnDropHandle<LastWords>>) -> String {
    let Some(listener) = listener else { return String::new() };
    match timeout(WORDS_GRACE, listener).await {
        Ok(Ok(words)) => words.into_text(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        ids::{FileId, JobId, ProcessId},
        job::Fence,
    };

    use super::*;
    use crate::scratch::ScratchRoot;

    const LONG: Duration = Duration::from_secs(60);

    /// Runs a shell script as the task, gives its answers and how it ended.
    async fn run(script: &str, limits: Limits) -> (Vec<Event>, Result<(), Failure>) {
        let dir = tempfile::tempdir().unwrap();
        let root = ScratchRoot::open(&dir.path().join("scratch"), &ProcessId::new("test")).unwrap();
        let fence = Fence { job_id: JobId::new(), file_id: FileId::new(), generation: 1, attempt: 1 };
        let scratch = root.attempt(&fence).unwrap();
        let folder = scratch.folder("task").unwrap();
        // `sh __task` reads its script from the working directory.
        fs::write(folder.join(TASK_ARGUMENT), script).unwrap();
        let tasks = Tasks { launcher: Launcher::start().unwrap(), program: "/bin/sh".into() };
        let order = Order {
            request: &Request::Probe,
            source: File::open("/dev/null").unwrap(),
            folder: &folder,
            scratch,
            limits,
            progress: Some(Progress::default()),
        };
        let tracker = TaskTracker::new();
        let mut task = tasks.start(order, &tracker).await.unwrap();
        let mut events = Vec::new();
        let end = loop {
            match task.next().await {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        drop(task);
        tracker.close();
        tracker.wait().await;
        assert!(!folder.exists(), "the folder outlived its task");
        (events, end)
    }

    async fn end_of(script: &str) -> Result<(), Failure> {
        run(script, Limits { no_progress: LONG, wall: LONG }).await.1
    }

    const DONE: &str = r#"echo '{"event":"done"}'"#;

    #[tokio::test]
    async fn a_task_that_says_done_and_ends_well_is_done() {
        assert_eq!(end_of(DONE).await, Ok(()));
    }

    #[tokio::test]
    async fn answers_arrive_in_order() {
        let script = format!(
            r#"echo '{{"event":"refused","name":"720p","failure":{{"code":"c","message":"m","retryable":false}}}}'
            echo '{{"event":"progress","fraction":0.5}}'
            {DONE}"#
        );
        let (events, end) = run(&script, Limits { no_progress: LONG, wall: LONG }).await;
        assert!(matches!(events.as_slice(), [Event::Refused { name, .. }] if name == "720p"), "{events:?}");
        assert_eq!(end, Ok(()));
    }

    #[tokio::test]
    async fn the_environment_of_a_task_is_empty_but_for_what_its_shell_sets() {
        let script = format!(r#"[ -z "$HOME$PATH_TO_NOTHING$CARGO$AWS_SECRET_ACCESS_KEY" ] && {DONE}"#);
        assert_eq!(end_of(&script).await, Ok(()));
    }

    #[tokio::test]
    async fn a_failure_is_told_as_it_was_said() {
        let script = r#"echo '{"event":"failed","failure":{"code":"not_media","message":"No.","retryable":false}}'"#;
        let failure = end_of(script).await.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.retryable), ("not_media", false));
    }

    #[tokio::test]
    async fn a_crash_is_told_with_its_last_words() {
        let failure = end_of("echo 'the end is near' >&2; kill -SEGV $$").await.unwrap_err();
        assert_eq!(failure.code, "task_crashed");
        assert!(failure.message.contains("the end is near"), "{}", failure.message);
        assert!(failure.retryable);
    }

    #[tokio::test]
    async fn ends_have_codes_of_their_own() {
        for (script, code) in [
            ("kill -KILL $$", "task_killed_memory"),
            ("kill -XCPU $$", "task_cpu_limit"),
            ("kill -XFSZ $$", "task_output_limit"),
            ("echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$", "task_killed_memory"),
            ("exit 0", "task_crashed"),
            ("exit 7", "task_crashed"),
            ("echo nonsense", "task_crashed"),
            (r#"echo '{"event":"done"}'; echo '{"event":"done"}'"#, "task_crashed"),
            (r#"echo '{"event":"done"}'; exit 1"#, "task_crashed"),
        ] {
            assert_eq!(end_of(script).await.unwrap_err().code, code, "{script}");
        }
    }

    #[tokio::test]
    async fn a_task_that_gets_no_further_is_killed_with_all_that_it_started() {
        let short = Duration::from_millis(50);
        let script =
            r#"/bin/sleep 600 & while :; do echo '{"event":"progress","fraction":0.1}'; /bin/sleep 0.01; done"#;
        let (_, end) = run(script, Limits { no_progress: short, wall: LONG }).await;
        assert_eq!(end.unwrap_err().code, "task_stuck");
    }

    #[tokio::test]
    async fn a_task_that_goes_on_for_ever_is_killed() {
        let (_, end) = run("/bin/sleep 600", Limits { no_progress: LONG, wall: Duration::from_millis(50) }).await;
        assert_eq!(end.unwrap_err().code, "task_too_long");
    }

    #[tokio::test]
    async fn endless_output_is_cut_short() {
        assert_eq!(end_of("/bin/cat /dev/zero").await.unwrap_err().code, "task_crashed");
    }
}
