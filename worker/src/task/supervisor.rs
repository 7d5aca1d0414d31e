//! Watches one task: hears what it says, looks how much memory it has, and kills it when it gets no further or nobody wants
//! it any more. Owns the child until it is reaped, whatever becomes of those who wait for its answers.

use std::{process::ExitStatus, sync::Arc, time::Duration};

use reelgate_common::{file::Failure, traces};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Child,
    sync::mpsc,
    time::{Instant, interval, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Span;

use super::{
    limits::Limits,
    lines::Lines,
    protocol::Event,
    verdict::{End, Ended, Told, judge},
    words::{LastWords, Spoken},
};
use crate::{
    heartbeat::Progress,
    memory::{Granted, Peak, Taken},
    scratch::Scratch,
    timeline::{Timeline, computed_ms},
};

/// More than these answers to one request are no answers.
const MAX_ANSWERS: usize = 256;
/// Time between the end of the events and the end of the process.
const EXIT_GRACE: Duration = Duration::from_secs(10);
/// Time for the last words to arrive after the process has ended.
const WORDS_GRACE: Duration = Duration::from_secs(1);
/// Between two looks at the child's memory.
const LOOK: Duration = Duration::from_millis(250);

pub(super) struct Supervisor {
    pub(super) child: Child,
    pub(super) limits: Limits,
    pub(super) progress: Option<Progress>,
    pub(super) say: mpsc::UnboundedSender<Result<Event, Failure>>,
    pub(super) kill: CancellationToken,
    pub(super) peak: Peak,
    pub(super) spoken: Spoken,
    pub(super) timeline: Timeline,
    /// In the timeline.
    pub(super) name: String,
    /// Keeps the folder until nobody can write into it.
    pub(super) scratch: Arc<Scratch>,
    /// The child's memory, given back when it is reaped.
    pub(super) granted: Granted,
}

impl Supervisor {
    pub(super) async fn run(self) {
        let Self { child, limits, progress, say, kill, peak, spoken, timeline, name, scratch, granted } = self;
        let group = Group::of(&child);
        let mut watch = Watch {
            child,
            group,
            limits,
            progress,
            say,
            kill,
            peak,
            spoken,
            timeline,
            name,
            told: None,
            answers: 0,
            taken: 0,
            most: 0,
        };
        watch.run().await;
        drop((scratch, granted));
    }
}

/// What is known of the child so far.
struct Watch {
    child: Child,
    group: Group,
    limits: Limits,
    progress: Option<Progress>,
    say: mpsc::UnboundedSender<Result<Event, Failure>>,
    kill: CancellationToken,
    peak: Peak,
    spoken: Spoken,
    timeline: Timeline,
    name: String,
    told: Option<Told>,
    answers: usize,
    /// Bytes of memory of its own when it was last looked at.
    taken: u64,
    /// The most of it that was seen.
    most: u64,
}

impl Watch {
    async fn run(&mut self) {
        let words = self.child.stderr.take().map(|stderr| AbortOnDropHandle::new(tokio::spawn(listen(stderr))));
        let end = self.hear().await;
        let status = self.reap(end).await;
        self.timeline.task("reaped", &self.name, None);
        tracing::debug!(
            task = self.name,
            most_bytes = self.most,
            limit_bytes = self.limits.memory_bytes,
            "a task's memory"
        );
        let words = last_words(words).await;
        self.spoken.heard(&words);
        let filled = self.taken.saturating_mul(100) / self.limits.memory_bytes.max(1);
        let outcome = judge(Ended { end, status, told: self.told.take(), words: &words, filled });
        if let Err(failure) = &outcome
            && end != End::Unwanted
        {
            tracing::info!(code = %failure.code, last_words = %words, "a task ended badly");
        }
        let span = Span::current();
        span.record("reelgate.peak_bytes", self.most);
        // Nobody had a use for it any more: no failure.
        if let Err(failure) = &outcome
            && end != End::Unwanted
        {
            traces::failed(&span, &failure.code);
        }
        drop(self.say.send(outcome.map(|()| Event::Done)));
    }

    async fn hear(&mut self) -> End {
        let Some(stdout) = self.child.stdout.take() else { return End::Babble };
        let mut lines = Lines::new(stdout);
        let wall = Instant::now() + self.limits.wall;
        let mut stuck = Instant::now() + self.limits.no_progress;
        let mut looks = interval(LOOK);
        loop {
            let line = tokio::select! {
                biased;
                () = self.kill.cancelled() => return End::Unwanted,
                () = sleep_until(wall) => return End::TooLong(self.limits.wall),
                () = sleep_until(stuck) => return End::Stuck(self.limits.no_progress),
                _ = looks.tick() => {
                    self.look();
                    continue;
                }
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

    /// How much memory it has now.
    fn look(&mut self) {
        if let Some(found) = self.child.id().and_then(Taken::of) {
            self.taken = found.data;
            self.most = self.most.max(found.data);
            self.peak.saw(found.highest_resident);
        }
    }

    /// Whether the event says that the task got further; nothing when it may not come.
    fn take(&mut self, event: Event) -> Option<bool> {
        if self.told.is_some() {
            return None;
        }
        if let Some(what) = event.word() {
            self.timeline.task(&what, &self.name, self.child.id());
            // Moments are a closed set; all else bears names, and those are the child's.
            if matches!(event, Event::Reached { .. }) && !Span::current().is_disabled() {
                traces::reached(&what, self.child.id().and_then(computed_ms));
            }
        }
        match event {
            Event::Reached { .. } => return Some(false),
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
