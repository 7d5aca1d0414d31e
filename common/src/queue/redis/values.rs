//! What scripts take and give as text and numbers.

use std::time::Duration;

use redis::ScriptInvocation;

use crate::{
    ids::JobId,
    queue::{Claim, QueueError},
    timestamp::Timestamp,
};

/// Fits under the priority in the 53 bits of a score; milliseconds until the year 2109.
const MAX_RUN_AT: i64 = (1 << 42) - 1;

pub(super) fn on<'s>(mut script: ScriptInvocation<'s>, claim: &Claim) -> ScriptInvocation<'s> {
    script.arg(claim.job_id.to_string()).arg(&claim.lease.0);
    script
}

pub(super) fn run_at(time: Timestamp) -> i64 {
    time.0.clamp(0, MAX_RUN_AT)
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(MAX_RUN_AT).min(MAX_RUN_AT)
}

pub(super) fn parse_job(text: &str) -> Result<JobId, QueueError> {
    text.parse().map_err(|_| QueueError::Garbled(format!("{text:?} is no job")))
}

/// The head of a text, cut between characters.
pub(super) fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
