//! A job as the API shows it, and all that is known about it: facts of the source, the plan with its reasons, the attempts.

use reelgate_common::{
    db::AttemptRecord,
    ids::{FileId, JobId, OrgId},
    job::{AttemptOutcome, JobKind, JobRecord, JobState},
    lane::Lane,
    media_info::MediaInfo,
    timestamp::Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    endpoint::media,
    file_json,
    plan_json::{self, PlanJson},
};

/// Queued work, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobJson {
    id: JobId,
    file_id: FileId,
    /// Operators see those of all.
    org: OrgId,
    kind: JobKind,
    /// Of a chunk: which part of its film, from 0 on.
    part: Option<u32>,
    state: JobState,
    priority: u8,
    /// Which workers it waits for; decided when it was made.
    lane: Lane,
    /// 0.0 to 1.0.
    #[schema(minimum = 0.0, maximum = 1.0)]
    progress: f64,
    /// Runs begun.
    attempt: i64,
    /// Runs that failed.
    failures: i32,
    /// Runs whose worker was lost.
    losses: i32,
    worker: Option<String>,
    last_error: Option<ErrorJson>,
    created_at: Timestamp,
    /// When it may run again, while it waits.
    next_attempt_at: Option<Timestamp>,
    heartbeat_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

/// Why a run failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobError)]
struct ErrorJson {
    /// Stable; `docs/errors.md` explains each.
    code: String,
    /// A sentence.
    message: String,
}

/// A job with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedJob)]
pub struct Explained {
    #[serde(flatten)]
    job: JobJson,
    /// Seconds of the source that are done in a second, while it runs.
    speed: Option<f64>,
    /// Milliseconds that are left, while it runs.
    time_left_ms: Option<u64>,
    /// What was found in the source.
    facts: Option<MediaInfo>,
    /// What was decided; its `reasons` say why.
    #[schema(value_type = Option<PlanJson>)]
    plan: Option<Value>,
    attempts: Vec<AttemptJson>,
}

/// One run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptJson {
    attempt: i64,
    worker: String,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    outcome: Option<AttemptOutcome>,
    error: Option<ErrorJson>,
    /// libav's last lines.
    last_words: Option<String>,
    peak_memory_bytes: Option<u64>,
}

impl From<JobRecord> for JobJson {
    fn from(job: JobRecord) -> Self {
        let waits = job.state == JobState::Queued;
        Self {
            id: job.id,
            file_id: job.file_id,
            org: job.org_id,
            kind: job.kind,
            part: job.part,
            state: job.state,
            priority: job.priority,
            lane: job.lane,
            progress: job.progress,
            attempt: job.attempt,
            failures: job.failures,
            losses: job.losses,
            worker: job.worker,
            last_error: error(job.last_error_code, job.last_error),
            created_at: job.created_at,
            next_attempt_at: waits.then_some(job.next_attempt_at),
            heartbeat_at: job.heartbeat_at,
            finished_at: job.finished_at,
        }
    }
}

impl From<AttemptRecord> for AttemptJson {
    fn from(record: AttemptRecord) -> Self {
        Self {
            attempt: record.attempt,
            worker: record.worker,
            started_at: record.started_at,
            ended_at: record.ended_at,
            outcome: record.outcome,
            error: error(record.code, record.message),
            last_words: record.last_words,
            peak_memory_bytes: record.peak_memory_bytes,
        }
    }
}

fn error(code: Option<String>, message: Option<String>) -> Option<ErrorJson> {
    Some(ErrorJson { code: code?, message: message.unwrap_or_default() })
}

impl Explained {
    /// `now` is the clock by which its pace is told.
    #[must_use]
    pub fn new(mut job: JobRecord, facts: Option<MediaInfo>, attempts: Vec<AttemptRecord>, now: Timestamp) -> Self {
        let running = attempts.last().filter(|last| job.state == JobState::Running && last.ended_at.is_none());
        let duration_ms = facts.as_ref().map_or(0, |facts| facts.duration_ms);
        let pace = running.and_then(|attempt| pace(attempt, job.progress, duration_ms, now));
        let (speed, time_left_ms) = pace.unzip();
        let plan = job.plan.take();
        let attempts = attempts.into_iter().map(AttemptJson::from).collect();
        Self { job: job.into(), speed, time_left_ms, facts, plan, attempts }
    }
}

/// Speed and time left of an attempt, by what it has done since it began. Nothing before it has done anything.
fn pace(attempt: &AttemptRecord, progress: f64, duration_ms: u64, now: Timestamp) -> Option<(f64, u64)> {
    let done = progress - attempt.progress;
    let elapsed_ms = now.since(attempt.started_at).as_secs_f64() * 1_000.0;
    if done <= 0.0 || elapsed_ms <= 0.0 {
        return None;
    }
    let speed = done * duration_ms as f64 / elapsed_ms;
    let left = elapsed_ms * (1.0 - progress).max(0.0) / done;
    Some(((speed * 100.0).round() / 100.0, left.round() as u64))
}

/// A job as the document shows it.
pub(crate) fn example() -> Value {
    json!({
        "id": "0193d2c8-6a11-7b02-8f4c-2d9e1c55a0b7",
        "file_id": media::FILE,
        "org": "acme",
        "kind": "process",
        "part": null,
        "state": "queued",
        "priority": 50,
        "lane": "small",
        "progress": 0.0,
        "attempt": 1,
        "failures": 0,
        "losses": 1,
        "worker": null,
        "last_error": null,
        "created_at": "2026-11-30T09:12:44.031Z",
        "next_attempt_at": "2026-11-30T09:12:48.031Z",
        "heartbeat_at": "2026-11-30T09:12:45.504Z",
        "finished_at": null,
    })
}

/// The same, explained.
pub(crate) fn explained_example() -> Value {
    let mut job = example();
    job["speed"] = json!(3.2);
    job["time_left_ms"] = json!(18_400);
    job["facts"] = file_json::media_example();
    job["plan"] = plan_json::example();
    job["attempts"] = json!([{
        "attempt": 1,
        "worker": "worker-0193d2c8",
        "started_at": "2026-11-30T09:12:44.200Z",
        "ended_at": "2026-11-30T09:12:46.031Z",
        "outcome": "lost",
        "error": null,
        "last_words": null,
        "peak_memory_bytes": 412_090_368,
    }]);
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(started_at: i64, progress: f64) -> AttemptRecord {
        AttemptRecord {
            attempt: 2,
            worker: "w".to_owned(),
            started_at: Timestamp(started_at),
            progress,
            ended_at: None,
            outcome: None,
            code: None,
            message: None,
            last_words: None,
            peak_memory_bytes: None,
        }
    }

    #[test]
    fn the_pace_is_that_of_this_attempt_alone() {
        assert_eq!(pace(&attempt(0, 0.5), 0.75, 60_000, Timestamp(5_000)), Some((3.0, 5_000)));
        assert_eq!(pace(&attempt(0, 0.0), 1.0, 60_000, Timestamp(5_000)), Some((12.0, 0)));
    }

    #[test]
    fn nothing_is_promised_before_anything_is_done() {
        assert_eq!(pace(&attempt(0, 0.5), 0.5, 60_000, Timestamp(5_000)), None);
        assert_eq!(pace(&attempt(5_000, 0.0), 0.5, 60_000, Timestamp(5_000)), None);
    }
}
