//! The log of events: written with the change that it reports or not at all, numbered without gaps in the order of commits.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Result;
use futures_util::future::join_all;
use reelgate_common::{
    db::{Cancelled, Db, Fenced, Retried, Standing},
    event::{EventKind, EventRecord, EventSpan},
    file::FileState,
    ids::{FileId, OrgId},
    rendition::RenditionKind,
};
use serde_json::json;
use tokio::sync::broadcast::error::TryRecvError;

use super::{on_both, setup::*};

on_both!(
    the_life_of_a_file_is_told_in_order_and_each_thing_once,
    failures_retries_and_deletions_are_told,
    what_cannot_be_played_at_once_is_told_complete,
    a_change_that_fails_leaves_no_event,
    a_change_whose_event_cannot_be_written_is_not_made,
    many_at_once_are_numbered_without_gaps_in_the_order_of_their_commits,
    a_log_is_pruned_from_its_beginning,
    nobody_reads_the_log_of_another_organisation,
    those_who_wait_have_places_and_those_who_run_a_progress,
);

async fn log(db: &Db, org: &OrgId) -> Result<Vec<EventRecord>> {
    Ok(db.events_after(org, 0, None, 1_000).await?)
}

async fn kinds(db: &Db, org: &OrgId) -> Result<Vec<&'static str>> {
    Ok(log(db, org).await?.iter().map(|event| event.kind.as_str()).collect())
}

async fn the_life_of_a_file_is_told_in_order_and_each_thing_once(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let mut bell = db.bell().listen();
    let (id, fence) = running(db, &acme).await?;
    for _ in 0..2 {
        for (name, kind) in
            [("poster", RenditionKind::Poster), ("720p", RenditionKind::Video), ("360p", RenditionKind::Video)]
        {
            assert_eq!(db.publish(&fence, &rendition(&fence, name, kind)).await?, Fenced::Written);
        }
    }
    for _ in 0..2 {
        assert_eq!(db.finish_job(&fence).await?, Fenced::Written);
    }
    let events = log(db, &acme).await?;
    let told: Vec<_> = events.iter().map(|event| (event.seq, event.kind, event.data["state"].as_str())).collect();
    let expected = [
        (1, EventKind::FileStaged, Some("staged")),
        (2, EventKind::FileProcessing, Some("processing")),
        (3, EventKind::RenditionReady, Some("processing")),
        (4, EventKind::RenditionReady, Some("ready")),
        (5, EventKind::FileReady, Some("ready")),
        (6, EventKind::RenditionReady, Some("ready")),
        (7, EventKind::FileCompleted, Some("ready")),
    ];
    assert_eq!(told, expected);
    assert!(events.iter().all(|event| event.file_id == id && event.org_id == acme));
    assert_eq!(events[0].data["filename"], "clip.mp4");
    assert_eq!(events[3].data["rendition"]["name"], "720p");
    assert_eq!(events[4].data["rendition"], "720p");
    assert_eq!(events[6].data["failure"], json!(null));
    // Six commits have told something: the one that made the file ready has told two things.
    for _ in 0..6 {
        assert_eq!(bell.try_recv()?, acme);
    }
    assert_eq!(bell.try_recv(), Err(TryRecvError::Empty));
    Ok(())
}

async fn failures_retries_and_deletions_are_told(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    // A run that will be repeated is no news of the file.
    db.fail_attempt(&fence, &failure(true), &AT_ONCE, 0.0).await?;
    let again = begin(db, fence.job_id).await?.fence;
    for _ in 0..2 {
        db.fail_attempt(&again, &failure(false), &AT_ONCE, 0.0).await?;
    }
    place.tamper("UPDATE files SET failure_retryable = TRUE").await?;
    assert!(matches!(db.retry_job(&acme, id).await?, Retried::Queued(_)));
    assert_eq!(db.cancel_job(&acme, fence.job_id).await?, Cancelled::Stopped);
    assert_eq!((db.delete_file(&acme, id).await?, db.delete_file(&acme, id).await?), (true, false));
    db.purge_file(id).await?;
    let given_up = uploading(db, &acme).await?;
    for _ in 0..2 {
        db.abandon_upload(&acme, given_up).await?;
    }
    let expected =
        ["file.staged", "file.processing", "file.failed", "file.staged", "file.failed", "file.deleted", "file.deleted"];
    assert_eq!(kinds(db, &acme).await?, expected);
    let events = log(db, &acme).await?;
    assert_eq!(events[2].data["failure"]["code"], "decode_error");
    assert_eq!((&events[0].data["again"], &events[3].data["again"]), (&json!(false), &json!(true)));
    assert_eq!(events[4].data["failure"]["code"], "cancelled");
    assert_eq!((events[5].file_id, events[6].file_id), (id, given_up));
    Ok(())
}

async fn what_cannot_be_played_at_once_is_told_complete(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let document = uploading(db, &acme).await?;
    db.stage_file(&acme, document, &staged(FileState::Ready), None).await?;
    assert_eq!(kinds(db, &acme).await?, ["file.staged", "file.ready", "file.completed"]);
    // Something of it plays, and the rest was given up: it will not get any further, and says why.
    let (_, fence) = running(db, &acme).await?;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.0).await?;
    let last = log(db, &acme).await?.pop().map(|event| (event.kind, event.data["failure"]["code"].clone()));
    assert_eq!(last, Some((EventKind::FileCompleted, json!("decode_error"))));
    Ok(())
}

async fn a_change_that_fails_leaves_no_event(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (_, job) = waiting(db, &acme).await?;
    let mut bell = db.bell().listen();
    let id = uploading(db, &acme).await?;
    let taken = reelgate_common::db::NewJob { id: job, ..new_job(50) };
    assert!(db.stage_file(&acme, id, &staged(FileState::Staged), Some(&taken)).await.is_err());
    assert_eq!(file(db, &acme, id).await?.state, FileState::Uploading);
    assert_eq!(db.event_span(&acme).await?, EventSpan { first: 1, last: 1 });
    assert_eq!(bell.try_recv(), Err(TryRecvError::Empty));
    Ok(())
}

async fn a_change_whose_event_cannot_be_written_is_not_made(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (first, _) = waiting(db, &acme).await?;
    let (second, job) = (uploading(db, &acme).await?, new_job(50));
    // Somebody has the next number already.
    place.tamper("INSERT INTO events SELECT org_id, 2, file_id, kind, data, created_at, trace FROM events").await?;
    assert!(db.stage_file(&acme, second, &staged(FileState::Staged), Some(&job)).await.is_err());
    assert_eq!(file(db, &acme, second).await?.state, FileState::Uploading);
    assert_eq!(db.jobs_of(&acme, second).await?, []);
    place.tamper("DELETE FROM events WHERE seq = 2").await?;
    db.stage_file(&acme, second, &staged(FileState::Staged), Some(&job)).await?;
    let told: Vec<_> = log(db, &acme).await?.iter().map(|event| (event.seq, event.file_id)).collect();
    assert_eq!(told, [(1, first), (2, second)], "no number is lost with it");
    Ok(())
}

/// Whoever has read up to a number never finds a smaller one later.
async fn read_on(db: &Db, org: &OrgId, written: &AtomicBool) -> Result<Vec<EventRecord>> {
    let mut read: Vec<EventRecord> = Vec::new();
    loop {
        let over = written.load(Ordering::SeqCst);
        let next = db.events_after(org, read.last().map_or(0, |event| event.seq), None, 7).await?;
        if next.is_empty() && over {
            return Ok(read);
        }
        for event in next {
            assert_eq!(event.seq, read.len() as i64 + 1);
            read.push(event);
        }
    }
}

async fn many_at_once_are_numbered_without_gaps_in_the_order_of_their_commits(place: Place) -> Result<()> {
    let (db, second, acme) = (&place.db, place.another().await?, org("acme"));
    let lives = (0..40).map(|n| {
        let db = if n % 2 == 0 { db.clone() } else { second.clone() };
        let org = org(if n % 4 == 3 { "other" } else { "acme" });
        tokio::spawn(async move {
            let (id, fence) = running(&db, &org).await?;
            db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
            db.finish_job(&fence).await?;
            anyhow::Ok((org, id))
        })
    });
    let written = AtomicBool::new(false);
    let writing = async {
        let lives = join_all(lives).await;
        written.store(true, Ordering::SeqCst);
        lives
    };
    let (lives, read) = tokio::join!(writing, read_on(db, &acme, &written));
    let (lives, read) = (lives.into_iter().map(|life| life?).collect::<Result<Vec<_>>>()?, read?);
    let others = log(db, &org("other")).await?;
    assert_eq!((read.len(), others.len()), (30 * 5, 10 * 5));
    assert_eq!(others.last().map(|event| event.seq), Some(50));
    let of = |events: &[EventRecord]| events.iter().map(|event| event.file_id).collect::<BTreeSet<FileId>>();
    for (owner, id) in lives {
        assert!(of(if owner == acme { &read } else { &others }).contains(&id));
        let kinds: Vec<_> = db.events_after(&owner, 0, Some(id), 10).await?.iter().map(|event| event.kind).collect();
        assert_eq!((kinds.first(), kinds.last()), (Some(&EventKind::FileStaged), Some(&EventKind::FileCompleted)));
    }
    Ok(())
}

async fn a_log_is_pruned_from_its_beginning(place: Place) -> Result<()> {
    let (db, acme, week) = (&place.db, org("acme"), Duration::from_secs(7 * 86_400));
    assert_eq!(db.event_span(&acme).await?, EventSpan { first: 1, last: 0 });
    for _ in 0..6 {
        waiting(db, &acme).await?;
    }
    waiting(db, &org("other")).await?;
    // The third began long before it was committed: what was committed before it is not dropped for its sake.
    let age =
        |which: &str| format!("UPDATE events SET created_at = created_at - {} WHERE {which}", week.as_millis() + 1);
    place.tamper(&age("org_id = 'acme' AND seq IN (1, 2, 3, 5)")).await?;
    assert_eq!(db.prune_events(week, 2).await?, 2, "no more at a time");
    assert_eq!(db.prune_events(week, 100).await?, 1);
    assert_eq!(db.event_span(&acme).await?, EventSpan { first: 4, last: 6 });
    assert_eq!(db.prune_events(week, 100).await?, 0);
    place.tamper(&age("org_id = 'acme'")).await?;
    assert_eq!(db.prune_events(week, 100).await?, 3);
    assert_eq!(db.event_span(&acme).await?, EventSpan { first: 7, last: 6 });
    waiting(db, &acme).await?;
    assert_eq!(log(db, &acme).await?.first().map(|event| event.seq), Some(7));
    assert_eq!(db.event_span(&org("other")).await?, EventSpan { first: 1, last: 1 });
    Ok(())
}

async fn nobody_reads_the_log_of_another_organisation(place: Place) -> Result<()> {
    let (db, acme, other) = (&place.db, org("acme"), org("other"));
    let (id, _) = waiting(db, &acme).await?;
    assert_eq!(log(db, &other).await?, []);
    assert_eq!(db.events_after(&other, 0, Some(id), 10).await?, []);
    assert_eq!(db.event_span(&other).await?.last, 0);
    Ok(())
}

async fn those_who_wait_have_places_and_those_who_run_a_progress(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    assert_eq!(db.standings(&acme, 10).await?, []);
    let (late, _) = waiting(db, &acme).await?;
    let (early, _) = waiting_at(db, &acme, 60).await?;
    let (running, fence) = running(db, &acme).await?;
    db.heartbeat_job(&fence, 0.25).await?;
    waiting(db, &org("other")).await?;
    let expected = [
        Standing::Waiting { file: early, position: 1 },
        Standing::Waiting { file: late, position: 2 },
        Standing::Running { file: running, progress: 0.25 },
    ];
    assert_eq!(db.standings(&acme, 10).await?, expected);
    assert_eq!(db.standings(&acme, 1).await?, [expected[0], expected[2]], "no more than that");
    Ok(())
}
