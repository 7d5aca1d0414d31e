//! Trying again while a service is away: with growing pauses, up to a limit, and not beyond a stop.

use std::{future::Future, time::Duration};

use reelgate_common::{db::DbError, promote::PromoteError, queue::backoff::backoff, storage::StorageError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What is left for a write that has begun when the worker is asked to stop.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// Errors that say whether another try could help.
pub(crate) trait Passing {
    fn passing(&self) -> bool;
}

impl Passing for DbError {
    fn passing(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

impl Passing for StorageError {
    fn passing(&self) -> bool {
        !matches!(self, Self::NotFound { .. } | Self::Changed { .. })
    }
}

impl Passing for PromoteError {
    fn passing(&self) -> bool {
        match self {
            Self::Db(error) => error.passing(),
            Self::Storage(error) => error.passing(),
            Self::Size { .. } => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pub(crate) limit: Duration,
    pub(crate) stop: CancellationToken,
}

impl Patience {
    /// Calls `attempt` until it succeeds, fails for good, or patience ends; then gives the last answer.
    ///
    /// # Errors
    /// The last error.
    pub(crate) async fn keep_trying<T, E, F>(&self, what: &str, mut attempt: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: Passing + std::fmt::Display,
    {
        let mut end = Instant::now() + self.limit;
        for tries in 1.. {
            let error = match attempt().await {
                Err(error) if error.passing() && Instant::now() < end => error,
                outcome => return outcome,
            };
            tracing::warn!(what, %error, tries, "will be tried again");
            let pause = sleep(backoff(FIRST_PAUSE, LONGEST_PAUSE, tries, rand::random()));
            if self.stop.is_cancelled() {
                end = end.min(Instant::now() + AFTER_STOP);
                pause.await;
            } else {
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = pause => {}
                }
            }
            if self.stop.is_cancelled() {
                end = end.min(Instant::now() + AFTER_STOP);
            }
        }
        unreachable!("the loop has no end of its own")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> DbError {
        DbError::Away("gone".into())
    }

    fn patience(limit: Duration) -> Patience {
        Patience { limit, stop: CancellationToken::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_comes_back_is_waited_for() {
        let mut left = 5;
        let patience = patience(Duration::from_secs(600));
        let outcome = patience.keep_trying("test", || {
            left -= 1;
            let answer = if left == 0 { Ok(42) } else { Err(away()) };
            async { answer }
        });
        assert_eq!(outcome.await.unwrap(), 42);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let start = Instant::now();
        let outcome: Result<(), DbError> =
            patience(Duration::from_secs(60)).keep_trying("test", || async { Err(away()) }).await;
        assert!(outcome.is_err());
        assert!(start.elapsed() >= Duration::from_secs(60) && start.elapsed() < Duration::from_secs(75));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_is_not_tried_again() {
        let mut tries = 0;
        let outcome: Result<(), DbError> = patience(Duration::from_secs(60))
            .keep_trying("test", || {
                tries += 1;
                async { Err(DbError::Garbled("x".to_owned())) }
            })
            .await;
        assert!(outcome.is_err());
        assert_eq!(tries, 1);
    }
}
