//! A job from its first run to its end. Whatever a worker writes carries the fencing token of its attempt, and is refused
//! unless that attempt holds the job now, in the file's own generation, with the file not deleted.

use crate::job::{Fence, JobPolicy, JobState};

/// The part of a job's row that moves, and what its file's row says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobView {
    pub state: JobState,
    pub generation: i64,
    pub attempt: i64,
    pub failures: i32,
    pub losses: i32,
    pub file_generation: i64,
    pub file_deleted: bool,
}

/// Generation and attempt: what every write of a result must still find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    pub generation: i64,
    pub attempt: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobEvent {
    /// A worker confirms its claim. `due`: by the database's clock; `alive`: whoever runs it was heard of within its lease;
    /// `readable`: its payload is of no newer version than this build.
    Begin {
        due: bool,
        alive: bool,
        readable: bool,
    },
    /// A result of a running attempt: what the probe found, a rendition, a thumbnail, a heartbeat.
    Write(Token),
    Finish(Token),
    /// What is left is made in parts, by jobs of their own.
    Split(Token),
    /// The last of these jobs is over.
    Join,
    /// The task failed while its worker lived.
    Fail {
        token: Token,
        retryable: bool,
    },
    /// Stopped by us, or a service was away: counts for nothing.
    Interrupt(Token),
    /// The worker was not heard of for a lease, or its process is known to be gone.
    Lose {
        attempt: i64,
    },
    /// A person stops it, or its file is deleted.
    Cancel,
    /// A person wants another run of what was given up.
    Retry,
    /// There is more to do of the same: another thumbnail.
    Wish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Final, its file deleted, or of another generation.
    Obsolete,
    /// Written by a newer build.
    TooNew,
    /// Another worker holds it and lives.
    Held,
    /// Another worker holds it and has fallen silent: count its Loss first.
    Silent,
    NotDue,
    /// The token does not hold (any more).
    Stale,
    /// This attempt has finished it already: the answer was lost.
    Repeated,
    /// It has ended.
    Over,
    /// It has not ended.
    NotOver,
}

impl From<&Fence> for Token {
    fn from(fence: &Fence) -> Self {
        Self { generation: fence.generation, attempt: fence.attempt }
    }
}

impl JobView {
    /// Whether the file still wants this job.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        !self.file_deleted && self.generation == self.file_generation
    }

    /// Whether the token names the job's last attempt, whatever has become of it.
    #[must_use]
    pub const fn is_named_by(&self, token: Token) -> bool {
        self.generation == token.generation && self.attempt == token.attempt
    }

    const fn held_by(self, token: Token) -> Result<Self, Refused> {
        match self.state {
            _ if !self.is_current() || !self.is_named_by(token) => Err(Refused::Stale),
            JobState::Running => Ok(self),
            JobState::Done => Err(Refused::Repeated),
            JobState::Queued | JobState::Split | JobState::Dead | JobState::Cancelled => Err(Refused::Stale),
        }
    }

    const fn to(self, state: JobState) -> Self {
        Self { state, ..self }
    }

    fn begin(self, due: bool, alive: bool, readable: bool) -> Result<Self, Refused> {
        match self.state {
            _ if !self.is_current() => Err(Refused::Obsolete),
            _ if !readable => Err(Refused::TooNew),
            JobState::Running if alive => Err(Refused::Held),
            JobState::Running => Err(Refused::Silent),
            JobState::Queued if due => Ok(Self { attempt: self.attempt + 1, ..self.to(JobState::Running) }),
            JobState::Queued | JobState::Split => Err(Refused::NotDue),
            JobState::Done | JobState::Dead | JobState::Cancelled => Err(Refused::Obsolete),
        }
    }

    fn fail(self, retryable: bool, limits: &JobPolicy) -> Self {
        let failures = self.failures.saturating_add(1);
        let again = retryable && failures < limits.max_failures;
        Self { failures, ..self.to(if again { JobState::Queued } else { JobState::Dead }) }
    }

    fn lose(self, attempt: i64, limits: &JobPolicy) -> Result<Self, Refused> {
        let token = Token { generation: self.generation, attempt };
        let held = self.held_by(token).map_err(|_| Refused::Stale)?;
        let losses = held.losses.saturating_add(1);
        let again = losses < limits.max_losses;
        Ok(Self { losses, ..held.to(if again { JobState::Queued } else { JobState::Dead }) })
    }

    /// Attempts go on counting, so that tokens of earlier runs never hold again.
    const fn anew(self) -> Self {
        Self { failures: 0, losses: 0, ..self.to(JobState::Queued) }
    }
}

/// # Errors
/// The job's state does not allow it; nothing may be written.
pub fn transition(job: JobView, event: JobEvent, limits: &JobPolicy) -> Result<JobView, Refused> {
    match event {
        JobEvent::Begin { due, alive, readable } => job.begin(due, alive, readable),
        JobEvent::Write(token) => job.held_by(token),
        JobEvent::Finish(token) => Ok(job.held_by(token)?.to(JobState::Done)),
        JobEvent::Split(token) => Ok(job.held_by(token)?.to(JobState::Split)),
        JobEvent::Join if !job.is_current() => Err(Refused::Obsolete),
        JobEvent::Join if matches!(job.state, JobState::Split) => Ok(job.to(JobState::Queued)),
        // Whoever holds it sees for himself.
        JobEvent::Join => Err(Refused::Held),
        JobEvent::Fail { token, retryable } => Ok(job.held_by(token)?.fail(retryable, limits)),
        JobEvent::Interrupt(token) => Ok(job.held_by(token)?.to(JobState::Queued)),
        JobEvent::Lose { attempt } => job.lose(attempt, limits),
        JobEvent::Cancel if is_open(job.state) => Ok(job.to(JobState::Cancelled)),
        JobEvent::Cancel => Err(Refused::Over),
        JobEvent::Retry | JobEvent::Wish if !job.is_current() => Err(Refused::Obsolete),
        JobEvent::Retry if matches!(job.state, JobState::Dead | JobState::Cancelled) => Ok(job.anew()),
        JobEvent::Wish if !is_open(job.state) => Ok(job.anew()),
        JobEvent::Retry | JobEvent::Wish => Err(Refused::NotOver),
    }
}

/// Whether a job in this state will go on by itself; all other states are final.
#[must_use]
pub const fn is_open(state: JobState) -> bool {
    matches!(state, JobState::Queued | JobState::Running | JobState::Split)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: JobPolicy = JobPolicy {
        max_failures: 3,
        max_losses: 20,
        backoff_base_ms: 0,
        backoff_max_ms: 0,
        lease_ms: 0,
        heartbeat_ms: 0,
    };

    fn job(state: JobState) -> JobView {
        JobView { state, generation: 2, attempt: 5, failures: 0, losses: 0, file_generation: 2, file_deleted: false }
    }

    fn writes(token: Token) -> [JobEvent; 6] {
        [
            JobEvent::Split(token),
            JobEvent::Write(token),
            JobEvent::Finish(token),
            JobEvent::Fail { token, retryable: true },
            JobEvent::Fail { token, retryable: false },
            JobEvent::Interrupt(token),
        ]
    }

    #[test]
    fn no_write_passes_unless_generation_attempt_and_file_are_as_they_were() {
        let (held, token) = (job(JobState::Running), Token { generation: 2, attempt: 5 });
        let gone = JobView { file_deleted: true, ..held };
        let superseded = JobView { file_generation: 3, ..held };
        let (older, newer) = (Token { attempt: 4, ..token }, Token { attempt: 6, ..token });
        let other = Token { generation: 1, ..token };
        for event in writes(token) {
            assert!(transition(held, event, &LIMITS).is_ok(), "{event:?}");
            let others = [JobState::Queued, JobState::Split, JobState::Dead, JobState::Cancelled].map(job);
            for view in [gone, superseded].into_iter().chain(others) {
                assert_eq!(transition(view, event, &LIMITS), Err(Refused::Stale), "{view:?} {event:?}");
            }
        }
        for event in [older, newer, other].into_iter().flat_map(writes) {
            assert_eq!(transition(held, event, &LIMITS), Err(Refused::Stale), "{event:?}");
        }
    }

    #[test]
    fn a_finish_whose_answer_was_lost_is_known_again() {
        let token = Token { generation: 2, attempt: 5 };
        assert_eq!(transition(job(JobState::Done), JobEvent::Finish(token), &LIMITS), Err(Refused::Repeated));
        let older = JobEvent::Finish(Token { attempt: 4, ..token });
        assert_eq!(transition(job(JobState::Done), older, &LIMITS), Err(Refused::Stale));
    }

    #[test]
    fn failures_and_losses_have_limits_of_their_own() {
        let token = Token { generation: 2, attempt: 5 };
        let tired = JobView { failures: 2, losses: 19, ..job(JobState::Running) };
        let fails = |retryable| transition(tired, JobEvent::Fail { token, retryable }, &LIMITS).map(|next| next.state);
        assert_eq!(fails(true), Ok(JobState::Dead));
        let fresh = JobView { failures: 0, ..tired };
        let failed = transition(fresh, JobEvent::Fail { token, retryable: true }, &LIMITS).unwrap();
        assert_eq!((failed.state, failed.failures, failed.losses), (JobState::Queued, 1, 19));
        let lost = transition(tired, JobEvent::Lose { attempt: 5 }, &LIMITS).unwrap();
        assert_eq!((lost.state, lost.failures, lost.losses), (JobState::Dead, 2, 20));
        assert_eq!(transition(lost, JobEvent::Lose { attempt: 5 }, &LIMITS), Err(Refused::Stale), "once");
    }
}
