//! Attempts: beginning, heartbeats, and every way to end.

use std::time::Duration;

use anyhow::{Context, Result};
use reelgate_common::{
    db::{AttemptEnd, Cancelled, Fenced, JobBeat, JobFilter, NotBegun, Reach, Retried, Verdict},
    file::FileState,
    ids::JobId,
    job::{AttemptOutcome, JobPolicy, JobState},
    rendition::RenditionKind,
};

use super::{on_both, setup::*};

on_both!(
    an_attempt_begins_once,
    progress_never_goes_back,
    failures_kill_at_their_limit,
    a_hopeless_failure_kills_at_once,
    losses_kill_at_their_own_limit,
    an_interruption_counts_for_nothing,
    a_failed_job_waits_for_its_backoff,
    a_silent_worker_is_counted_as_lost_by_the_next,
    voided_leases_are_losses,
    a_failed_file_can_be_retried,
    what_is_not_failed_cannot_be_retried,
    every_attempt_leaves_its_history,
    a_cancelled_job_stops_its_worker_and_can_be_retried,
);

async fn an_attempt_begins_once(place: Place) -> Result<()> {
    let (db, acme, policy) = (&place.db, org("acme"), JobPolicy::default());
    let (id, job_id) = waiting(db, &acme).await?;
    let attempt = begin(db, job_id).await?;
    assert_eq!((attempt.fence.attempt, attempt.fence.generation, attempt.fence.file_id), (1, 1, id));
    assert_eq!((attempt.job.state, attempt.file.state), (JobState::Running, FileState::Processing));
    assert_eq!(attempt.job.worker.as_deref(), Some("w1"));

    let held = db.begin_attempt(job_id, &worker("w2"), &policy).await?;
    assert_eq!(held.err(), Some(NotBegun::Held));
    let unknown = db.begin_attempt(JobId::new(), &worker("w2"), &policy).await?;
    assert_eq!(unknown.err(), Some(NotBegun::Obsolete));
    db.finish_job(&attempt.fence).await?;
    let done = db.begin_attempt(job_id, &worker("w2"), &policy).await?;
    assert_eq!(done.err(), Some(NotBegun::Obsolete));
    Ok(())
}

async fn progress_never_goes_back(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    for (said, shown) in [(0.25, 0.25), (0.1, 0.25), (f64::NAN, 0.25), (7.0, 1.0), (0.5, 1.0)] {
        assert_eq!(db.heartbeat_job(&fence, said).await?, JobBeat::Held);
        assert_eq!(file(db, &acme, id).await?.progress, shown);
    }
    Ok(())
}

async fn failures_kill_at_their_limit(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, job_id) = waiting(db, &acme).await?;
    for run in 1..=AT_ONCE.max_failures {
        let fence = begin(db, job_id).await?.fence;
        assert_eq!(fence.attempt, i64::from(run));
        let verdict = db.fail_attempt(&fence, &failure(true), &AT_ONCE, 0.5).await?;
        assert_eq!(verdict == Verdict::Dead, run == AT_ONCE.max_failures, "{verdict:?}");
        assert_eq!(db.fail_attempt(&fence, &failure(true), &AT_ONCE, 0.5).await?, Verdict::Stale);
    }
    let (found, record) = (file(db, &acme, id).await?, job(db, &acme, id).await?);
    assert_eq!((found.state, found.failure), (FileState::Failed, Some(failure(true))));
    assert_eq!((record.state, record.failures, record.losses), (JobState::Dead, 3, 0));
    assert_eq!(record.last_error_code.as_deref(), Some("decode_error"));
    Ok(())
}

async fn a_hopeless_failure_kills_at_once(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    assert_eq!(db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.5).await?, Verdict::Dead);
    assert_eq!(file(db, &acme, id).await?.failure, Some(failure(false)));
    Ok(())
}

async fn losses_kill_at_their_own_limit(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, job_id) = waiting(db, &acme).await?;
    for run in 1..=AT_ONCE.max_losses {
        let fence = begin(db, job_id).await?.fence;
        let other = db.lose_attempt(job_id, Some(fence.attempt - 1), &AT_ONCE, 0.5).await?;
        assert_eq!(other, Verdict::Stale);
        let verdict = db.lose_attempt(job_id, Some(fence.attempt), &AT_ONCE, 0.5).await?;
        assert_eq!(verdict == Verdict::Dead, run == AT_ONCE.max_losses, "{verdict:?}");
        assert_eq!(db.heartbeat_job(&fence, 0.5).await?, JobBeat::Lost);
        assert_eq!(db.lose_attempt(job_id, None, &AT_ONCE, 0.5).await?, Verdict::Stale);
    }
    let (found, record) = (file(db, &acme, id).await?, job(db, &acme, id).await?);
    assert_eq!((record.state, record.failures, record.losses), (JobState::Dead, 0, 5));
    assert_eq!(found.failure.context("no failure")?.code, "worker_lost");
    Ok(())
}

async fn an_interruption_counts_for_nothing(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, job_id) = waiting(db, &acme).await?;
    for run in 1..=10 {
        let fence = begin(db, job_id).await?.fence;
        assert_eq!(fence.attempt, run);
        assert_eq!(db.interrupt_attempt(&fence).await?, Fenced::Written);
        assert_eq!(db.interrupt_attempt(&fence).await?, Fenced::Stale);
    }
    let record = job(db, &acme, id).await?;
    assert_eq!((record.state, record.failures, record.losses), (JobState::Queued, 0, 0));
    assert_eq!((record.worker, record.heartbeat_at), (None, None));
    Ok(())
}

async fn a_failed_job_waits_for_its_backoff(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let policy = JobPolicy { backoff_base_ms: 3_600_000, backoff_max_ms: 3_600_000, ..JobPolicy::default() };
    let (id, fence) = running(db, &acme).await?;
    let Verdict::Again(due) = db.fail_attempt(&fence, &failure(true), &policy, 1.0).await? else {
        anyhow::bail!("given up")
    };
    let early = db.begin_attempt(fence.job_id, &worker("w2"), &policy).await?;
    assert_eq!(early.err(), Some(NotBegun::NotDue(due)));
    assert_eq!(file(db, &acme, id).await?.state, FileState::Processing);
    assert!(db.due_jobs(Duration::from_secs(60), &policy, 10, 10).await?.is_empty());
    assert_eq!(db.due_jobs(Duration::from_secs(7_200), &policy, 10, 10).await?.len(), 1);
    Ok(())
}

async fn a_silent_worker_is_counted_as_lost_by_the_next(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, job_id) = waiting(db, &acme).await?;
    let first = db.begin_attempt(job_id, &worker("w1"), &AT_ONCE).await?;
    assert!(first.is_ok());
    let second = db.begin_attempt(job_id, &worker("w2"), &AT_ONCE).await?;
    assert!(matches!(second.err(), Some(NotBegun::NotDue(_))));
    assert_eq!(job(db, &acme, id).await?.losses, 1);
    assert_eq!(begin(db, job_id).await?.fence.attempt, 2);
    Ok(())
}

async fn voided_leases_are_losses(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    waiting(db, &acme).await?;
    assert_eq!(db.void_leases().await?, 1);
    assert_eq!(db.void_leases().await?, 0);
    let record = job(db, &acme, id).await?;
    assert_eq!((record.state, record.losses), (JobState::Queued, 1));
    assert_eq!(begin(db, fence.job_id).await?.fence.attempt, 2);
    Ok(())
}

async fn a_failed_file_can_be_retried(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, job_id) = waiting(db, &acme).await?;
    for _ in 0..AT_ONCE.max_failures {
        let fence = begin(db, job_id).await?.fence;
        db.fail_attempt(&fence, &failure(true), &AT_ONCE, 0.5).await?;
    }
    assert_eq!(db.retry_job(&org("other"), id).await?, Retried::NoSuchFile);
    let Retried::Queued(due) = db.retry_job(&acme, id).await? else { anyhow::bail!("not retried") };
    assert_eq!(due.id, job_id);
    let found = file(db, &acme, id).await?;
    assert_eq!((found.state, found.failure), (FileState::Staged, None));
    let attempt = begin(db, job_id).await?;
    assert_eq!((attempt.fence.attempt, attempt.job.failures), (4, 0));
    let fence = attempt.fence;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    db.finish_job(&fence).await?;
    assert_eq!(file(db, &acme, id).await?.state, FileState::Ready);
    Ok(())
}

async fn what_is_not_failed_cannot_be_retried(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    assert_eq!(db.retry_job(&acme, id).await?, Retried::NotRetryable);
    db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.5).await?;
    assert_eq!(db.retry_job(&acme, id).await?, Retried::NotRetryable);
    Ok(())
}

async fn every_attempt_leaves_its_history(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (_, job_id) = waiting(db, &acme).await?;
    let first = begin(db, job_id).await?.fence;
    db.heartbeat_job(&first, 0.25).await?;
    let end = AttemptEnd {
        outcome: AttemptOutcome::Failed,
        failure: Some(failure(true)),
        last_words: "the end is near".to_owned(),
        peak_memory_bytes: Some(5_000_000_000),
    };
    db.note_attempt(&first, &end).await?;
    db.fail_attempt(&first, &failure(true), &AT_ONCE, 0.5).await?;
    let second = begin(db, job_id).await?.fence;
    db.lose_attempt(job_id, Some(second.attempt), &AT_ONCE, 0.5).await?;
    // What is told late does not change how it was counted.
    db.note_attempt(&second, &end).await?;
    begin(db, job_id).await?;
    let found = db.attempts_of(job_id).await?;
    let outcomes: Vec<_> = found.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [Some(AttemptOutcome::Failed), Some(AttemptOutcome::Lost), None]);
    assert_eq!(
        (found[0].last_words.as_deref(), found[0].peak_memory_bytes),
        (Some("the end is near"), Some(5_000_000_000))
    );
    assert_eq!((found[0].code.clone(), found[1].code.clone()), (Some(failure(true).code), None));
    assert!(found[0].progress < found[1].progress && found[0].ended_at.is_some() && found[2].ended_at.is_none());
    assert_eq!(db.find_job(Reach::Org(&org("other")), job_id).await?, None);
    let any = JobFilter { limit: 9, ..JobFilter::default() };
    assert!(db.list_jobs(Reach::Org(&org("other")), &any).await?.is_empty());
    assert!(db.find_job(Reach::All, job_id).await?.is_some());
    assert!(db.list_jobs(Reach::All, &JobFilter { limit: 200, ..any }).await?.iter().any(|job| job.id == job_id));
    let filter = JobFilter { limit: 9, state: Some(JobState::Running), ..JobFilter::default() };
    assert_eq!(db.list_jobs(Reach::Org(&acme), &filter).await?.len(), 1);
    assert!(db.list_jobs(Reach::Org(&acme), &JobFilter { after: Some(job_id), ..filter }).await?.is_empty());
    Ok(())
}

async fn a_cancelled_job_stops_its_worker_and_can_be_retried(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    assert_eq!(db.cancel_job(&org("other"), fence.job_id).await?, Cancelled::NoSuchJob);
    assert_eq!(db.cancel_job(&acme, fence.job_id).await?, Cancelled::Stopped);
    assert_eq!(db.heartbeat_job(&fence, 0.5).await?, JobBeat::Cancelled);
    assert_eq!(db.cancel_job(&acme, fence.job_id).await?, Cancelled::Over);
    // Until the worker says that it has stopped, it may be writing.
    assert!(job(db, &acme, id).await?.worker.is_some());
    assert_eq!(db.interrupt_attempt(&fence).await?, Fenced::Stale);
    let stopped = job(db, &acme, id).await?;
    assert_eq!((stopped.state, stopped.worker), (JobState::Cancelled, None));
    let failed = file(db, &acme, id).await?;
    assert_eq!((failed.state, failed.failure.map(|it| it.code)), (FileState::Failed, Some("cancelled".to_owned())));
    assert!(matches!(db.retry_job(&acme, id).await?, Retried::Queued(_)));
    // The old worker must not take the new run for its own.
    assert_eq!(db.heartbeat_job(&fence, 0.6).await?, JobBeat::Lost);
    let fence = begin(db, fence.job_id).await?.fence;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    assert_eq!(db.cancel_job(&acme, fence.job_id).await?, Cancelled::Stopped);
    assert_eq!(file(db, &acme, id).await?.state, FileState::Ready, "what plays goes on playing");
    assert!(matches!(db.retry_job(&acme, id).await?, Retried::Queued(_)));
    assert_eq!(file(db, &acme, id).await?.state, FileState::Ready);
    Ok(())
}
