//! The heartbeat: a task of its own beside the work, so that no upload, no full disk and no encoder can delay it. It extends
//! the lease in the queue and says in the database that the attempt lives; it is also how a worker hears that it shall stop.
//!
//! Who is believed: only the database. The queue may have been wiped; then the claim is restored there as soon as the
//! database confirms it. While the database is away nobody can begin an attempt, so the work goes on for as long as that
//! takes; should another worker have been given the job meanwhile (only *we* could not reach the database), then the fence
//! refuses whatever this attempt publishes, and the first answer that gets through says `Lost`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reelgate_common::{
    backends::Backends,
    db::JobBeat,
    job::Fence,
    queue::{Beat, Claim, Entry},
    timestamp::Timestamp,
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// How far an attempt is, from 0.0 to 1.0; it never goes back.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bits: Arc<AtomicU64>,
    /// The part of the whole that this view counts.
    from: f64,
    to: f64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { bits: Arc::default(), from: 0.0, to: 1.0 }
    }
}

impl Progress {
    /// Whether that was further than before. Numbers that are no fraction change nothing.
    pub(crate) fn advance(&self, fraction: f64) -> bool {
        if !(0.0..=1.0).contains(&fraction) {
            return false;
        }
        let whole = self.from + fraction * (self.to - self.from);
        // Minus zero is zero. The bits of non-negative floating-point numbers sort as the numbers do.
        let bits = (whole + 0.0).to_bits();
        self.bits.fetch_max(bits, Ordering::Relaxed) < bits
    }

    /// The same progress, seen by a step that is only a part of the whole.
    pub(crate) fn part(&self, from: f64, to: f64) -> Self {
        Self { bits: self.bits.clone(), from, to }
    }

    pub(crate) fn fraction(&self) -> f64 {
        f64::from_bits(self.bits.load(Ordering::Relaxed))
    }
}

/// Why the work has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Another attempt holds the job.
    Lost,
    /// The file was deleted or the job cancelled.
    Cancelled,
}

/// What the heartbeat needs to know.
#[derive(Clone)]
pub(crate) struct Pulse {
    pub(crate) backends: Backends,
    pub(crate) claim: Claim,
    /// The job as the queue is told about it again after it was wiped.
    pub(crate) entry: Entry,
    pub(crate) fence: Fence,
    pub(crate) progress: Progress,
    pub(crate) lease: Duration,
    pub(crate) every: Duration,
}

/// Between two questions whether the work is still wanted: what is cancelled ends within two seconds.
const ASK: Duration = Duration::from_secs(1);

/// A beating heart; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Heart {
    stopped: watch::Receiver<Option<Stopped>>,
    _task: AbortOnDropHandle<()>,
}

impl Heart {
    pub(crate) fn start(pulse: Pulse) -> Self {
        let (tell, stopped) = watch::channel(None);
        let beating = async move {
            let mut beats = interval(pulse.every);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut asks = interval(ASK.min(pulse.every));
            asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The claim and the attempt are fresh.
            beats.tick().await;
            let stopped = loop {
                tokio::select! {
                    biased;
                    _ = beats.tick() => {}
                    // A beat then finds out why, and says that we have heard it.
                    _ = asks.tick() => if pulse.is_wanted().await { continue },
                }
                if let Some(stopped) = pulse.beat().await {
                    break stopped;
                }
            };
            tell.send_replace(Some(stopped));
        };
        let task = tokio::spawn(beating.in_current_span());
        Self { stopped, _task: AbortOnDropHandle::new(task) }
    }

    /// Returns when the work has to stop.
    pub(crate) async fn stopped(&mut self) -> Stopped {
        match self.stopped.wait_for(Option::is_some).await.map(|stopped| *stopped) {
            Ok(Some(stopped)) => stopped,
            // The heart died of a panic: what nobody vouches for must not be published.
            _ => Stopped::Lost,
        }
    }
}

impl Pulse {
    /// An answer that does not come says nothing.
    async fn is_wanted(&self) -> bool {
        !matches!(timeout(self.every, self.backends.db.attempt_runs(&self.fence)).await, Ok(Ok(false)))
    }

    async fn beat(&self) -> Option<Stopped> {
        // At the same time and each with its limit: a service that hangs must not hide the other one's answer.
        let (queue, database) = tokio::join!(
            timeout(self.every, self.backends.queue.heartbeat(&self.claim, self.lease)),
            timeout(self.every, self.backends.db.heartbeat_job(&self.fence, self.progress.fraction())),
        );
        let wiped = matches!(queue, Ok(Ok(Beat::Lost)));
        if let Ok(Err(error)) = &queue {
            tracing::warn!(job.id = %self.fence.job_id, %error, "the queue did not take a heartbeat");
        }
        match database {
            Ok(Ok(JobBeat::Lost)) => Some(Stopped::Lost),
            Ok(Ok(JobBeat::Cancelled)) => Some(Stopped::Cancelled),
            Ok(Ok(JobBeat::Held)) if wiped => {
                self.restore().await;
                None
            }
            Ok(Ok(JobBeat::Held)) => None,
            Ok(Err(error)) => {
                tracing::warn!(job.id = %self.fence.job_id, %error, "the database did not take a heartbeat; the work goes on");
                None
            }
            Err(_) => {
                tracing::warn!(job.id = %self.fence.job_id, "the database did not answer a heartbeat; the work goes on");
                None
            }
        }
    }

    async fn restore(&self) {
        let entry = Entry { run_at: Timestamp::now(), ..self.entry.clone() };
        match timeout(self.every, self.backends.queue.restore(&self.claim, &entry, self.lease)).await {
            Ok(Ok(settled)) => {
                tracing::info!(job.id = %self.fence.job_id, ?settled, "the queue had forgotten a job that is held");
            }
            // The next beat finds it lost again.
            Ok(Err(error)) => tracing::warn!(job.id = %self.fence.job_id, %error, "the queue did not take a job back"),
            Err(_) => tracing::warn!(job.id = %self.fence.job_id, "the queue did not answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back_and_takes_no_nonsense() {
        let progress = Progress::default();
        assert!(progress.advance(0.5));
        for fraction in [0.5, 0.4, -1.0, -0.0, 1.5, f64::NAN, f64::INFINITY] {
            assert!(!progress.advance(fraction), "{fraction}");
        }
        assert!(progress.advance(1.0));
        assert!((progress.fraction() - 1.0).abs() < f64::EPSILON);
    }
}
