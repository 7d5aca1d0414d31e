//! Rows that nothing moves, and rows whose objects are gone. No code makes the former, so the tests do it by hand.

use std::time::Duration;

use anyhow::{Context, Result};
use reelgate_common::{
    db::{Mended, Retried, Withdrawn},
    file::FileState,
    job::JobState,
    rendition::RenditionKind,
    timestamp::Timestamp,
};
use sea_orm::ConnectionTrait;

use super::{on_both, setup::*};

on_both!(
    what_moves_is_not_stuck,
    an_upload_without_its_row_is_closed,
    a_file_without_a_job_gets_one_in_a_generation_of_its_own,
    a_file_whose_job_ended_without_it_fails_as_the_job_did,
    what_is_young_is_not_stuck_yet,
    a_rendition_that_is_gone_is_withdrawn_and_made_again,
    a_rendition_of_a_running_job_is_left_alone,
    files_come_by_id_a_page_at_a_time,
);

async fn by_hand(place: &Place, sql: &str) -> Result<()> {
    place.db.connection().execute_unprepared(sql).await?;
    Ok(())
}

/// Later than everything so far, by the database's clock, which counts milliseconds.
async fn tick() {
    let begun = Timestamp::now();
    while Timestamp::now() <= begun {
        tokio::task::yield_now().await;
    }
}

async fn what_moves_is_not_stuck(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    uploading(db, &acme).await?;
    waiting(db, &acme).await?;
    running(db, &acme).await?;
    tick().await;
    assert_eq!(db.stuck_files(Duration::ZERO, 10).await?, []);
    Ok(())
}

async fn an_upload_without_its_row_is_closed(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    by_hand(&place, "DELETE FROM uploads").await?;
    tick().await;
    assert_eq!(db.stuck_files(Duration::ZERO, 10).await?.len(), 1);
    assert_eq!(db.census(Duration::ZERO).await?.stuck_files, 1);
    assert_eq!(db.mend_stuck(&org("other"), id, Duration::ZERO).await?, Mended::Moved);
    assert_eq!(db.mend_stuck(&acme, id, Duration::ZERO).await?, Mended::Closed);
    assert!(db.find_file(&acme, id).await?.is_none());
    assert_eq!(db.mend_stuck(&acme, id, Duration::ZERO).await?, Mended::Moved);
    Ok(())
}

async fn a_file_without_a_job_gets_one_in_a_generation_of_its_own(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    by_hand(&place, "DELETE FROM jobs").await?;
    tick().await;
    assert_eq!(db.mend_stuck(&acme, id, Duration::ZERO).await?, Mended::Queued);
    let (row, job) = (file(db, &acme, id).await?, job(db, &acme, id).await?);
    assert_eq!((row.state, row.generation), (FileState::Staged, fence.generation + 1));
    assert_eq!((job.state, job.generation, job.attempt), (JobState::Queued, row.generation, 0));
    assert_eq!(db.stuck_files(Duration::ZERO, 10).await?, []);
    Ok(())
}

async fn a_file_whose_job_ended_without_it_fails_as_the_job_did(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.5).await?;
    by_hand(&place, "UPDATE files SET state = 'processing', failure_code = NULL").await?;
    tick().await;
    assert_eq!(db.mend_stuck(&acme, id, Duration::ZERO).await?, Mended::Settled);
    let row = file(db, &acme, id).await?;
    let told = row.failure.context("no failure")?;
    assert_eq!((row.state, told.code, told.retryable), (FileState::Failed, failure(false).code, true));
    assert!(matches!(db.retry_job(&acme, id).await?, Retried::Queued(_)));
    Ok(())
}

async fn what_is_young_is_not_stuck_yet(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    by_hand(&place, "DELETE FROM uploads").await?;
    assert_eq!(db.stuck_files(Duration::from_secs(3_600), 10).await?, []);
    assert_eq!(db.mend_stuck(&acme, id, Duration::from_secs(3_600)).await?, Mended::Moved);
    Ok(())
}

async fn a_rendition_that_is_gone_is_withdrawn_and_made_again(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    let made = rendition(&fence, "720p", RenditionKind::Video);
    db.publish(&fence, &made).await?;
    db.publish(&fence, &rendition(&fence, "360p", RenditionKind::Video)).await?;
    db.finish_job(&fence).await?;
    let other = reelgate_common::rendition::Rendition { attempt: 7, ..made.clone() };
    assert_eq!(db.withdraw_rendition(&acme, &other).await?, Withdrawn::Moved, "another attempt's");
    assert_eq!(db.withdraw_rendition(&org("other"), &made).await?, Withdrawn::Moved);
    assert_eq!(db.withdraw_rendition(&acme, &made).await?, Withdrawn::Queued);
    assert_eq!(file(db, &acme, id).await?.state, FileState::Ready, "the other rung still plays");
    let again = begin(db, job(db, &acme, id).await?.id).await?;
    assert_eq!(again.fence.attempt, fence.attempt + 1, "attempts go on counting");
    assert_eq!(again.published.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["360p"]);
    db.finish_job(&again.fence).await?;
    let last = rendition(&fence, "360p", RenditionKind::Video);
    assert_eq!(db.withdraw_rendition(&acme, &last).await?, Withdrawn::Queued);
    assert_eq!(file(db, &acme, id).await?.state, FileState::Staged, "nothing plays any more");
    Ok(())
}

async fn a_rendition_of_a_running_job_is_left_alone(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (_, fence) = running(db, &acme).await?;
    let made = rendition(&fence, "720p", RenditionKind::Video);
    db.publish(&fence, &made).await?;
    assert_eq!(db.withdraw_rendition(&acme, &made).await?, Withdrawn::Moved);
    Ok(())
}

async fn files_come_by_id_a_page_at_a_time(place: Place) -> Result<()> {
    let (db, later) = (&place.db, Timestamp::now().plus(Duration::from_secs(3_600)));
    let mut ids = Vec::new();
    for name in ["acme", "other", "acme"] {
        ids.push(waiting(db, &org(name)).await?.0);
    }
    uploading(db, &org("acme")).await?;
    ids.sort_unstable_by_key(|id| id.0);
    let first = db.files_after(None, later, 2).await?;
    let rest = db.files_after(Some(first[1].file.id), later, 2).await?;
    let found: Vec<_> = first.iter().chain(&rest).map(|it| it.file.id).collect();
    assert_eq!(found, ids);
    assert!(db.files_after(None, Timestamp(0), 2).await?.is_empty(), "none is old enough");
    Ok(())
}
