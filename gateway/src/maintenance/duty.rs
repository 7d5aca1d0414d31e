//! The shape of a loop: wait with jitter, act if this gateway leads, log once when it begins to fail and once when it
//! works again.

use std::{pin::pin, sync::Arc, time::Duration};

use reelgate_common::metric::{MAINTENANCE_CHANGES, MAINTENANCE_FAILURES};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::leader::Leader;

pub(crate) type DutyError = Box<dyn std::error::Error + Send + Sync>;

/// How long an action under way may go on at `stop`. Dropped half-way it leaves things for the reconciler: of a promotion, a source that
/// lies in the store twice.
const ENDING: Duration = Duration::from_secs(5);

pub(crate) struct Duty {
    name: &'static str,
    every: Duration,
    leader: Leader,
    stop: CancellationToken,
    /// How long the leader must have listened before it acts.
    listening: Duration,
    wake: Option<Arc<Notify>>,
    /// Whether it acts whoever leads.
    everywhere: bool,
    failing: bool,
}

impl Duty {
    pub(crate) fn new(name: &'static str, every: Duration, leader: Leader, stop: CancellationToken) -> Self {
        Self { name, every, leader, stop, listening: Duration::ZERO, wake: None, everywhere: false, failing: false }
    }

    /// For duties that take silence for death: after an outage of the database everybody has been silent, and those who live
    /// are given this time to be heard again.
    pub(crate) fn after_listening(self, listening: Duration) -> Self {
        Self { listening, ..self }
    }

    /// For duties that each gateway does for itself.
    pub(crate) fn everywhere(self) -> Self {
        Self { everywhere: true, ..self }
    }

    /// Its turn comes early when somebody knows that there is something to do.
    pub(crate) fn woken_by(self, wake: Arc<Notify>) -> Self {
        Self { wake: Some(wake), ..self }
    }

    /// Acts until `stop`. An action says how many things it changed. It has `ENDING` at `stop`, and is dropped then: every one
    /// may be.
    pub(crate) async fn repeat<G: Clone, F>(mut self, ground: G, act: impl Fn(G) -> F)
    where
        F: Future<Output = Result<u64, DutyError>>,
    {
        let stop = self.stop.clone();
        loop {
            if stop.run_until_cancelled(self.wait()).await.is_none() {
                return;
            }
            if !self.may_act().await {
                continue;
            }
            let mut action = pin!(act(ground.clone()));
            match stop.run_until_cancelled(action.as_mut()).await {
                Some(outcome) => self.note(&outcome),
                None => {
                    _ = timeout(ENDING, action).await;
                    return;
                }
            }
        }
    }

    async fn wait(&self) {
        let wait = sleep(jittered(self.every, rand::random()));
        match &self.wake {
            None => wait.await,
            Some(wake) => tokio::select! { () = wait => {}, () = wake.notified() => {} },
        }
    }

    async fn may_act(&self) -> bool {
        let judges_silence = !self.listening.is_zero() && self.leader.holds();
        if judges_silence && self.leader.look_at_the_clock().await.is_err() {
            return false;
        }
        self.everywhere || self.leader.has_listened_for(self.listening)
    }

    fn note(&mut self, outcome: &Result<u64, DutyError>) {
        let duty = self.name;
        match outcome {
            Ok(changed) => {
                MAINTENANCE_CHANGES.counter_of([("duty", duty)]).increment(*changed);
                if self.failing {
                    tracing::info!(duty, "maintenance works again");
                }
            }
            Err(error) => {
                MAINTENANCE_FAILURES.counter_of([("duty", duty)]).increment(1);
                if !self.failing {
                    tracing::warn!(
                        duty,
                        error = &**error as &dyn std::error::Error,
                        "maintenance fails; it goes on trying"
                    );
                }
            }
        }
        self.failing = outcome.is_err();
    }
}

/// Between nine and eleven tenths, so that several gateways do not act in step.
fn jittered(every: Duration, random: f64) -> Duration {
    every.mul_f64(0.9 + 0.2 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_tenth() {
        let every = Duration::from_secs(10);
        assert_eq!([0.0, 0.5, 1.0].map(|random| jittered(every, random).as_secs_f64()), [9.0, 10.0, 11.0]);
    }
}
