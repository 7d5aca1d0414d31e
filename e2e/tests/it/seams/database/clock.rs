//! The database's clock is set back by an hour: nothing that was written before may hold anything up for that hour.

use std::time::Duration;

use anyhow::Result;
use reelgate_common::{db::SilentJob, job::JobPolicy};

use super::{on_both, setup::*};

on_both!(
    after_a_step_back_a_silent_worker_is_still_found,
    after_a_step_back_what_waits_is_due,
    after_a_step_back_the_office_is_free,
    after_a_step_back_an_abandoned_upload_is_still_found,
);

const HOUR: Duration = Duration::from_secs(3_600);
const LEASE: Duration = Duration::from_secs(30);

async fn after_a_step_back_a_silent_worker_is_still_found(place: Place) -> Result<()> {
    let (db, policy) = (&place.db, JobPolicy::default());
    let (_, fence) = running(db, &org("acme")).await?;
    assert!(db.silent_jobs(LEASE, 10).await?.is_empty());
    place.set_clock_back(HOUR).await?;
    assert_eq!(db.silent_jobs(LEASE, 10).await?, [SilentJob { id: fence.job_id, attempt: 1 }]);
    assert!(db.begin_attempt(fence.job_id, &worker("w2"), &policy).await?.is_err(), "it waits for its backoff");
    assert_eq!(
        job(db, &org("acme"), fence.file_id).await?.losses,
        1,
        "the next worker need not wait for the old lease"
    );
    // Who lives says so, and is believed again.
    let (_, alive) = running(db, &org("acme")).await?;
    place.set_clock_back(HOUR).await?;
    db.heartbeat_job(&alive, 0.5).await?;
    assert!(db.silent_jobs(LEASE, 10).await?.is_empty());
    Ok(())
}

async fn after_a_step_back_what_waits_is_due(place: Place) -> Result<()> {
    let (db, policy) = (&place.db, JobPolicy::default());
    let (_, job) = waiting(db, &org("acme")).await?;
    place.set_clock_back(HOUR).await?;
    let due = db.due_jobs(Duration::ZERO, &policy, 10, 10).await?;
    assert_eq!(due.iter().map(|due| (due.id, due.due)).collect::<Vec<_>>(), [(job, true)]);
    assert!(db.begin_attempt(job, &worker("w1"), &policy).await?.is_ok());
    Ok(())
}

async fn after_a_step_back_the_office_is_free(place: Place) -> Result<()> {
    let (db, a, b) = (&place.db, worker("a"), worker("b"));
    assert!(db.hold_office("dispatcher", &a, LEASE).await?);
    place.set_clock_back(HOUR).await?;
    assert!(db.hold_office("dispatcher", &b, LEASE).await?);
    assert!(!db.hold_office("dispatcher", &a, LEASE).await?);
    Ok(())
}

async fn after_a_step_back_an_abandoned_upload_is_still_found(place: Place) -> Result<()> {
    let db = &place.db;
    let file = uploading(db, &org("acme")).await?;
    assert!(db.silent_uploads(LEASE, 10).await?.is_empty());
    place.set_clock_back(HOUR).await?;
    let silent: Vec<_> = db.silent_uploads(LEASE, 10).await?.into_iter().map(|upload| upload.file_id).collect();
    assert_eq!(silent, [file]);
    Ok(())
}
