//! The runner: a number of slots, each in a loop of wait, claim, begin, work, settle. No error ends it; a slot that meets one
//! pauses for a while and goes on.

use std::{sync::Arc, time::Duration};

use reelgate_common::{
    backends::Backends,
    crash,
    db::{Attempt, AttemptEnd, DbError, NotBegun},
    ids::ProcessId,
    job::{Fence, JobKind},
    metric::{WORKER_ATTEMPT_DURATION, WORKER_ATTEMPTS, WORKER_SLOTS, WORKER_SLOTS_BUSY},
    queue::{Claim, Entry, QueueError, Settled, backoff::backoff},
    step,
    timestamp::Timestamp,
};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument;

use crate::{
    config::WorkerConfig,
    drain::Drain,
    halt::Halt,
    heartbeat::{Heart, Progress, Pulse, Stopped},
    litter::Litter,
    live::{self, Rungs},
    memory::Peak,
    patience::Patience,
    process::{self, Ended, KeptIndex, Work},
    scratch::ScratchRoot,
    settle::{Outcome, settle},
    spans,
    task::{parent::Tasks, words::Spoken},
    timeline::Timeline,
};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long a job that only a newer build understands is left to one.
const LEFT_TO_NEWER: Duration = Duration::from_secs(30);
/// How long the database may take to confirm a claim, well within its lease.
const CONFIRM: Duration = Duration::from_secs(5);
/// Time for removing what an attempt has not published.
const SWEEP: Duration = Duration::from_secs(30);

/// Why a turn ended without work being done as it should.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the queue: {0}")]
    Queue(#[from] QueueError),
    #[error("the database: {0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Away(String),
}

pub(crate) struct Runner {
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) backends: Backends,
    pub(crate) process: ProcessId,
    pub(crate) scratch: ScratchRoot,
    pub(crate) tasks: Tasks,
    pub(crate) drain: Drain,
    pub(crate) kept_index: KeptIndex,
}

impl Runner {
    /// Works until it is stopped.
    pub(crate) async fn run(self) {
        let runner = Arc::new(self);
        WORKER_SLOTS.set(u64::from(runner.config.worker.concurrency));
        WORKER_SLOTS_BUSY.set(0);
        let mut slots = JoinSet::new();
        for _ in 0..runner.config.worker.concurrency {
            slots.spawn(runner.clone().slot());
        }
        while let Some(ended) = slots.join_next().await {
            // A panic in one slot (a bug) must not make the worker weaker from then on.
            if let Err(error) = ended
                && !runner.drain.begun.is_cancelled()
            {
                tracing::error!(%error, "a slot died and is started again");
                slots.spawn(runner.clone().slot());
            }
        }
    }

    async fn slot(self: Arc<Self>) {
        let mut troubles = 0;
        while !self.drain.begun.is_cancelled() {
            match self.turn().await {
                Ok(()) => troubles = 0,
                Err(trouble) => {
                    troubles += 1;
                    tracing::warn!(%trouble, troubles, "a worker's slot pauses");
                    self.pause(backoff(FIRST_PAUSE, LONGEST_PAUSE, troubles, rand::random())).await;
                }
            }
        }
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = self.drain.begun.cancelled() => {}
            () = sleep(time) => {}
        }
    }

    async fn turn(&self) -> Result<(), Trouble> {
        let queue = &self.backends.queue;
        let Some(claim) = queue.claim(&self.process, self.config.worker.lanes, self.config.lease()).await? else {
            let poll = Duration::from_millis(self.config.worker.poll_ms);
            return tokio::select! {
                () = self.drain.begun.cancelled() => Ok(()),
                waited = queue.wait(self.config.worker.lanes, poll) => Ok(waited?),
            };
        };
        if self.drain.begun.is_cancelled() {
            queue.release(&claim).await?;
            return Ok(());
        }
        crash::point("claimed");
        match self.begin(&claim).await {
            Ok(Ok(attempt)) => {
                let span = spans::attempt(&attempt, &self.process);
                Box::pin(self.work(claim, attempt)).instrument(span).await
            }
            Ok(Err(not_begun)) => self.put_back(&claim, not_begun).await,
            Err(error) => {
                // Others may reach the database.
                queue.release(&claim).await?;
                Err(error.into())
            }
        }
    }

    async fn begin(&self, claim: &Claim) -> Result<Result<Attempt, NotBegun>, DbError> {
        let patience = Patience { limit: CONFIRM.min(self.config.lease() / 3), stop: self.drain.over.clone() };
        let db = &self.backends.db;
        patience
            .keep_trying("confirming a claim", || db.begin_attempt(claim.job_id, &self.process, &self.config.jobs))
            .await
    }

    /// A claim that the database did not confirm.
    async fn put_back(&self, claim: &Claim, not_begun: NotBegun) -> Result<(), Trouble> {
        tracing::debug!(job.id = %claim.job_id, ?not_begun, "a claim was not confirmed");
        let queue = &self.backends.queue;
        match not_begun {
            // Held: whoever holds it brings it back into the queue with its next heartbeat, and if it is lost, the
            // database does.
            NotBegun::Obsolete | NotBegun::Held => queue.complete(claim).await?,
            NotBegun::TooNew => queue.retry(claim, Timestamp::now().plus(LEFT_TO_NEWER)).await?,
            // The queue's clock is ahead of the database's, so a wait would be none there. The dispatcher brings it when it is due.
            NotBegun::NotDue(_) => queue.complete(claim).await?,
        };
        Ok(())
    }

    async fn work(&self, claim: Claim, attempt: Attempt) -> Result<(), Trouble> {
        let (fence, started) = (attempt.fence, std::time::Instant::now());
        let _busy = Busy::new();
        crash::point("begun");
        tracing::info!(
            job.id = %fence.job_id, file.id = %fence.file_id, generation = fence.generation, attempt = fence.attempt,
            "an attempt begins"
        );
        let progress = Progress::default();
        let mut heart = Heart::start(self.pulse(&claim, &attempt, &progress));
        let rungs = Rungs::default();
        let _telling = self.tell(&attempt, &progress, &rungs);
        let patience =
            Patience { limit: Duration::from_millis(self.config.worker.keep_result_ms), stop: self.drain.over.clone() };
        let (job, litter) = (attempt.job.clone(), Litter::default());
        let outcome = match self.prepare(attempt, (progress, rungs), litter, patience.clone()) {
            Err(halt) => (halt.into(), None),
            Ok(work) => (self.attend(&work, &mut heart).await, Some(work)),
        };
        let (outcome, work) = outcome;
        let peak_bytes = work.as_ref().map(|work| work.tasks.peak.bytes());
        tracing::info!(
            job.id = %fence.job_id, file.id = %fence.file_id, attempt = fence.attempt, %outcome, peak_bytes,
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), "an attempt ends"
        );
        spans::ended(&outcome);
        self.note(&fence, &outcome, work.as_ref()).await;
        WORKER_ATTEMPT_DURATION.histogram_of([("kind", job.kind.as_str())]).record(started.elapsed().as_secs_f64());
        WORKER_ATTEMPTS.counter_of([("outcome", outcome.kind().as_str())]).increment(1);
        let settled = settle(&self.backends, &self.config.jobs, &patience, &claim, &job, &fence, &outcome)
            .instrument(step!("settle"))
            .await;
        crash::point("queue-told");
        drop(heart);
        if let Some(work) = work {
            self.clean_up(&work).await;
        }
        log_settled(&fence.job_id, settled);
        match outcome {
            Outcome::Away(what) => Err(Trouble::Away(what)),
            _ => Ok(()),
        }
    }

    /// For those who ask why; nothing depends on it.
    async fn note(&self, fence: &Fence, outcome: &Outcome, work: Option<&Work>) {
        let end = AttemptEnd {
            outcome: outcome.kind(),
            failure: outcome.failure(),
            last_words: work.map(|work| work.tasks.spoken.words()).unwrap_or_default(),
            peak_memory_bytes: work.map(|work| work.tasks.peak.bytes()).filter(|bytes| *bytes > 0),
        };
        if let Err(error) = self.backends.db.note_attempt(fence, &end).await {
            tracing::warn!(job.id = %fence.job_id, %error, "how an attempt ended was not written down");
        }
    }

    /// Thumbnails are no progress of their file.
    fn tell(&self, attempt: &Attempt, progress: &Progress, rungs: &Rungs) -> Option<AbortOnDropHandle<()>> {
        let subject = live::Subject {
            org_id: attempt.file.org_id.clone(),
            file_id: attempt.file.id,
            progress: progress.clone(),
            rungs: rungs.clone(),
        };
        let process = attempt.job.kind == JobKind::Process;
        process.then(|| live::tell(subject, self.backends.queue.signals()))
    }

    fn prepare(
        &self,
        attempt: Attempt,
        (progress, rungs): (Progress, Rungs),
        litter: Litter,
        patience: Patience,
    ) -> Result<Work, Halt> {
        let timeline = Timeline::begin(attempt.job.id);
        timeline.step("claimed");
        Ok(Work {
            scratch: self.scratch.attempt(&attempt.fence)?,
            backends: self.backends.clone(),
            config: self.config.clone(),
            tasks: Tasks { peak: Peak::default(), spoken: Spoken::default(), timeline, ..self.tasks.clone() },
            attempt,
            progress,
            rungs,
            litter,
            patience,
            kept_index: self.kept_index.clone(),
            children: TaskTracker::new(),
        })
    }

    /// Runs the steps until they end, or until the heartbeat or the operator ends them. Dropping the steps kills their child.
    async fn attend(&self, work: &Work, heart: &mut Heart) -> Outcome {
        let outcome = tokio::select! {
            biased;
            stopped = heart.stopped() => match stopped {
                Stopped::Lost => Outcome::Lost,
                Stopped::Cancelled => Outcome::Cancelled,
            },
            () = self.drain.over.cancelled() => Outcome::Interrupted,
            ran = process::run(work) => match ran {
                Ok(Ended::Finished) => Outcome::Finished,
                Ok(Ended::Split) => Outcome::Split,
                Ok(Ended::Again) => Outcome::Interrupted,
                Err(halt) => halt.into(),
            },
        };
        work.children.close();
        // Killed or ended; until they are reaped they may still write.
        work.children.wait().await;
        outcome
    }

    fn pulse(&self, claim: &Claim, attempt: &Attempt, progress: &Progress) -> Pulse {
        Pulse {
            backends: self.backends.clone(),
            claim: claim.clone(),
            entry: Entry {
                job_id: attempt.job.id,
                org_id: attempt.job.org_id.clone(),
                lane: claim.lane,
                priority: attempt.job.priority,
                run_at: Timestamp::now(),
                due: true,
            },
            fence: attempt.fence,
            progress: progress.clone(),
            lease: self.config.lease(),
            every: self.config.heartbeat(),
        }
    }

    async fn clean_up(&self, work: &Work) {
        let sweep = work.litter.sweep(self.backends.storage.as_ref());
        if tokio::time::timeout(SWEEP, sweep).await.is_err() {
            tracing::warn!(job.id = %work.attempt.fence.job_id, "the store is slow; unpublished objects are left to the reconciler");
        }
    }
}

/// A slot that works, counted for the metrics.
struct Busy {}

impl Busy {
    fn new() -> Self {
        WORKER_SLOTS_BUSY.gauge().increment(1.0);
        Self {}
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        WORKER_SLOTS_BUSY.gauge().decrement(1.0);
    }
}

/// The queue is a hint: when it did not hear how a job ended, the database brings everything back.
fn log_settled(job: &reelgate_common::ids::JobId, settled: Result<Settled, QueueError>) {
    match settled {
        Ok(settled) => tracing::debug!(job.id = %job, ?settled, "the queue was told"),
        Err(error) => tracing::warn!(job.id = %job, %error, "the queue was not told; its lease will lapse"),
    }
}

impl From<Halt> for Outcome {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Failed(failure) => Self::Failed(failure),
            Halt::Stale => Self::Lost,
            Halt::Away(what) => Self::Away(what),
        }
    }
}
