//! The parent's side of a task: what it is started with, and the handle that hears its answers. `supervisor` watches it;
//! what an answer is worth is decided by who asked.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use reelgate_common::{file::Failure, step, traces};
use tokio::{process::Command, sync::mpsc};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tracing::{Instrument, field::Empty};

use super::{
    launcher::Launcher,
    limits::Limits,
    protocol::{Event, REQUEST_FILE, Request, TASK_ARGUMENT},
    sandbox::{Bounds, Strictness},
    supervisor::Supervisor,
    verdict::crash,
    words::Spoken,
};
use crate::{
    heartbeat::Progress,
    memory::{Budget, Peak},
    scratch::Scratch,
    timeline::Timeline,
};

/// glibc gives each thread an arena of its own, up to eight per core; what they keep free counts as taken.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "4");

/// Starts tasks. One per attempt, but all of a worker share its memory.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    pub(crate) launcher: Launcher,
    pub(crate) program: PathBuf,
    pub(crate) strictness: Strictness,
    pub(crate) memory: Budget,
    /// The most that any task of these has taken.
    pub(crate) peak: Peak,
    /// What they said last.
    pub(crate) spoken: Spoken,
    pub(crate) timeline: Timeline,
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
    pub(crate) async fn start(&self, mut order: Order<'_>, tracker: &TaskTracker) -> io::Result<Task> {
        order.limits.memory_bytes = order.limits.memory_bytes.min(self.memory.bytes());
        fs::write(order.folder.join(REQUEST_FILE), serde_json::to_vec(order.request)?)?;
        let span = step!("task", otel.name = order.request.word(), reelgate.peak_bytes = Empty);
        let granted = self.memory.admit(order.limits.memory_bytes).await;
        self.timeline.task("admitted", &name(order.folder), None);
        span.in_scope(|| traces::reached("admitted", None));
        let child = self.launcher.spawn(self.command(&order)?).await?;
        let (say, said) = mpsc::unbounded_channel();
        let kill = CancellationToken::new();
        let supervisor = Supervisor {
            child,
            limits: order.limits,
            progress: order.progress,
            say,
            kill: kill.clone(),
            peak: self.peak.clone(),
            spoken: self.spoken.clone(),
            timeline: self.timeline,
            name: name(order.folder),
            scratch: order.scratch,
            granted,
        };
        tracker.spawn(supervisor.run().instrument(span).in_current_span());
        Ok(Task { said, _kill: kill.drop_guard() })
    }

    fn command(&self, order: &Order<'_>) -> io::Result<Command> {
        let bounds = Bounds { strictness: self.strictness, limits: order.limits.of_process() };
        let mut command = Command::new(&self.program);
        command
            .arg(TASK_ARGUMENT)
            .arg(serde_json::to_string(&bounds)?)
            .env_clear()
            .env(ARENAS.0, ARENAS.1)
            .current_dir(order.folder)
            .stdin(Stdio::from(order.source.try_clone()?))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }
}

/// What a task is called in the timeline.
fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reelgate_common::{
        ids::{FileId, JobId, ProcessId},
        job::Fence,
    };

    use super::*;
    use crate::scratch::ScratchRoot;

    const LONG: Duration = Duration::from_secs(60);
    const PATIENT: Limits = Limits { no_progress: LONG, wall: LONG, memory_bytes: 64 << 20, file_bytes: 1 << 20 };

    /// Runs a shell script as the task, gives its answers and how it ended.
    async fn run(script: &str, limits: Limits) -> (Vec<Event>, Result<(), Failure>) {
        let dir = tempfile::tempdir().unwrap();
        let root = ScratchRoot::open(&dir.path().join("scratch"), &ProcessId::new("test")).unwrap();
        let fence = Fence { job_id: JobId::new(), file_id: FileId::new(), generation: 1, attempt: 1 };
        let scratch = root.attempt(&fence).unwrap();
        let folder = scratch.folder("task").unwrap();
        // `sh __task` reads its script from the working directory.
        fs::write(folder.join(TASK_ARGUMENT), script).unwrap();
        let tasks = Tasks {
            launcher: Launcher::start().unwrap(),
            program: "/bin/sh".into(),
            strictness: Strictness::Required,
            memory: Budget::new(128 << 20),
            peak: Peak::default(),
            spoken: Spoken::default(),
            timeline: Timeline::default(),
        };
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
        run(script, PATIENT).await.1
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
        let (events, end) = run(&script, PATIENT).await;
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
            ("kill -KILL $$", "out_of_memory"),
            ("kill -XCPU $$", "task_cpu_limit"),
            ("kill -XFSZ $$", "task_output_limit"),
            ("echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$", "out_of_memory"),
            ("echo 'x264 [error]: malloc of size 9 failed' >&2; kill -SEGV $$", "out_of_memory"),
            ("kill -SYS $$", "task_forbidden"),
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
        let (_, end) = run(script, Limits { no_progress: short, ..PATIENT }).await;
        assert_eq!(end.unwrap_err().code, "task_stuck");
    }

    #[tokio::test]
    async fn a_task_that_goes_on_for_ever_is_killed() {
        let (_, end) = run("/bin/sleep 600", Limits { wall: Duration::from_millis(50), ..PATIENT }).await;
        assert_eq!(end.unwrap_err().code, "task_too_long");
    }

    #[tokio::test]
    async fn who_answers_without_end_is_not_listened_to() {
        let answer = r#"{"event":"refused","name":"720p","failure":{"code":"c","message":"m","retryable":false}}"#;
        let script = format!("i=0; while [ $i -lt 300 ]; do echo '{answer}'; i=$((i+1)); done; {DONE}");
        assert_eq!(end_of(&script).await.unwrap_err().code, "task_crashed");
    }

    #[tokio::test]
    async fn endless_output_is_cut_short() {
        assert_eq!(end_of("/bin/cat /dev/zero").await.unwrap_err().code, "task_crashed");
    }
}
