//! How a worker ends. First it drains: it claims nothing more, and what it has begun may go on. Then, if that takes too long, it stops: it
//! hands back what is left. Asked at the operations port it only drains; SIGTERM makes it stop as well, after `worker.drain_seconds`.

use std::time::Duration;

use reelgate_common::metric::DRAINING;
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    /// No new jobs.
    pub(crate) begun: CancellationToken,
    /// No jobs any more.
    pub(crate) over: CancellationToken,
}

impl Drain {
    /// Begins when `signal` comes, and is over after `time`.
    pub(crate) fn upon(signal: CancellationToken, time: Duration) -> (Self, AbortOnDropHandle<()>) {
        let drain = Self::default();
        let Self { begun, over } = drain.clone();
        let told = tokio::spawn(async move {
            signal.cancelled().await;
            begun.cancel();
            DRAINING.set(1);
            sleep(time).await;
            over.cancel();
        });
        (drain, AbortOnDropHandle::new(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_signal_ends_new_jobs_at_once_and_those_under_way_after_their_time() {
        let signal = CancellationToken::new();
        let (drain, _held) = Drain::upon(signal.clone(), Duration::from_secs(60));
        signal.cancel();
        drain.begun.cancelled().await;
        sleep(Duration::from_secs(59)).await;
        assert!(!drain.over.is_cancelled());
        sleep(Duration::from_secs(2)).await;
        assert!(drain.over.is_cancelled());
    }
}
