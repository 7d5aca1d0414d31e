//! Films in parts: who is told of which parts, that the last one's end wakes the film's own job exactly once, and what becomes of parts
//! whose film or whose neighbour has ended.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    db::{Cancelled, Db, Fenced, JobFilter, NotBegun, Parked, PartEnd, Reach, Removal, Retried, SplitFilm, Verdict},
    file::FileState,
    ids::{JobId, OrgId},
    job::{CHUNK_PRIORITY, Fence, JobKind, JobPolicy, JobRecord, JobState},
    lane::{Lane, Lanes},
    rendition::RenditionKind,
};
use serde_json::{Value, json};

use super::{on_both, setup::*};

on_both!(
    the_last_part_wakes_the_film_exactly_once,
    only_so_many_parts_wait_as_workers_can_take,
    a_part_that_is_given_up_ends_the_others_and_wakes_the_film,
    a_film_whose_parts_are_over_does_not_wait,
    parts_of_a_film_that_is_stopped_are_stopped_and_go_on_with_it,
    parts_go_to_the_trash_and_come_back_with_their_film,
    a_film_that_is_made_whole_after_all_forgets_its_parts,
    a_film_that_is_made_once_more_is_divided_anew,
    workers_are_counted_while_they_are_heard_of,
    a_worker_of_the_version_before_leaves_parts_alone,
);

const SHARE: (f64, f64) = (0.1, 0.9);

fn how() -> Value {
    json!({ "way": "parts" })
}

/// A film in parts, left by its own attempt.
async fn parked(db: &Db, org: &OrgId, parts: u32) -> Result<Fence> {
    let (_, fence) = running(db, org).await?;
    let due = db.split_job(&fence, &how(), parts).await?.context("the fence does not hold")?;
    ensure!(!due.is_empty() && due.iter().all(|due| due.priority == CHUNK_PRIORITY), "{due:?}");
    db.keep_made(&fence, &json!("sound")).await?;
    ensure!(db.park_job(&fence).await? == Parked::Waits, "it does not wait");
    Ok(fence)
}

async fn chunks(db: &Db, org: &OrgId) -> Result<Vec<JobRecord>> {
    let filter = JobFilter { kind: Some(JobKind::Chunk), limit: 200, ..JobFilter::default() };
    let mut jobs = db.list_jobs(Reach::Org(org), &filter).await?;
    jobs.sort_unstable_by_key(|job| job.part);
    Ok(jobs)
}

async fn part(db: &Db, org: &OrgId, number: u32) -> Result<JobRecord> {
    let found = chunks(db, org).await?.into_iter().find(|job| job.part == Some(number));
    found.with_context(|| format!("there is no part {number}"))
}

async fn make(db: &Db, job: JobId) -> Result<PartEnd> {
    let fence = begin(db, job).await?.fence;
    Ok(db.finish_part(&fence, &json!({ "of": job }), SHARE).await?)
}

fn woken(end: PartEnd) -> Result<(f64, Vec<JobId>)> {
    match end {
        PartEnd::Written { progress, due } => Ok((progress, due.into_iter().map(|due| due.id).collect())),
        PartEnd::Stale => anyhow::bail!("it is stale"),
    }
}

async fn the_last_part_wakes_the_film_exactly_once(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let fence = parked(db, &acme, 3).await?;
    let waits = job(db, &acme, fence.file_id).await?;
    assert_eq!((waits.state, waits.worker), (JobState::Split, None));
    let asleep = db.begin_attempt(fence.job_id, &worker("w2"), &JobPolicy::default()).await?;
    assert!(matches!(asleep, Err(NotBegun::NotDue(_))));
    assert!(db.stuck_files(Duration::ZERO, 10).await?.is_empty(), "a film that waits for its parts is not stuck");

    let first = begin(db, part(db, &acme, 0).await?.id).await?;
    let seen: SplitFilm = first.split.context("a part does not know its film")?;
    assert_eq!((seen.split, seen.kept, seen.parts.len()), (how(), Some(json!("sound")), 0));
    assert_eq!(first.file.state, FileState::Processing);
    let end = db.finish_part(&first.fence, &json!(0), SHARE).await?;
    assert_eq!(woken(end.clone())?.1, []);
    let again = db.finish_part(&first.fence, &json!(0), SHARE).await?;
    assert_eq!(woken(again)?.0, woken(end)?.0, "a finish that is repeated changes nothing");

    // The last two at once: one of them is the last.
    let (second, third) = (part(db, &acme, 1).await?.id, part(db, &acme, 2).await?.id);
    let (second, third) = tokio::join!(make(db, second), make(db, third));
    let ends = [woken(second?)?, woken(third?)?];
    let told: Vec<JobId> = ends.iter().flat_map(|(_, due)| due.clone()).collect();
    assert_eq!(told, [fence.job_id]);
    let furthest = ends.iter().map(|(progress, _)| *progress).fold(0.0, f64::max);
    assert!((furthest - SHARE.1).abs() < 1e-9, "{furthest}");
    assert_eq!(file(db, &acme, fence.file_id).await?.state, FileState::Processing, "parts make no file");

    let attempt = begin(db, fence.job_id).await?;
    assert_eq!(attempt.fence.attempt, 2);
    let film = attempt.split.context("the film has forgotten its parts")?;
    let made: Vec<_> = film.parts.iter().map(|part| (part.number, part.state)).collect();
    assert_eq!(made, [0, 1, 2].map(|number| (number, JobState::Done)));
    assert_eq!(film.parts[0].made, Some(json!(0)));
    Ok(())
}

async fn only_so_many_parts_wait_as_workers_can_take(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let fence = parked(db, &acme, 100).await?;
    assert_eq!(chunks(db, &acme).await?.len(), 8);
    let (_, told) = woken(make(db, part(db, &acme, 0).await?.id).await?)?;
    assert_eq!(told, [part(db, &acme, 8).await?.id], "each that is done brings another");
    db.attend(&worker("w9"), 10, Lanes::ALL).await?;
    let (_, told) = woken(make(db, part(db, &acme, 1).await?.id).await?)?;
    assert_eq!((told.len(), chunks(db, &acme).await?.len()), (13, 22), "two for each slot");
    let all: HashSet<Option<u32>> = chunks(db, &acme).await?.iter().map(|job| job.part).collect();
    assert_eq!(all, (0..22).map(Some).collect());
    let listed = db.list_jobs(Reach::Org(&acme), &JobFilter { limit: 200, ..JobFilter::default() }).await?;
    assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), [fence.job_id], "parts are shown to who asks");
    Ok(())
}

async fn a_part_that_is_given_up_ends_the_others_and_wakes_the_film(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let fence = parked(db, &acme, 3).await?;
    let held = begin(db, part(db, &acme, 0).await?.id).await?.fence;
    let bad = begin(db, part(db, &acme, 1).await?.id).await?.fence;
    assert_eq!(db.fail_attempt(&bad, &failure(false), &AT_ONCE, 0.5).await?, Verdict::Dead);
    let states: Vec<JobState> = chunks(db, &acme).await?.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Cancelled, JobState::Dead, JobState::Cancelled]);
    assert_eq!(db.finish_part(&held, &json!(0), SHARE).await?, PartEnd::Stale);
    assert_eq!(file(db, &acme, fence.file_id).await?.state, FileState::Processing, "a part fails no file");
    let film = begin(db, fence.job_id).await?.split.context("no parts")?;
    let dead = film.parts.iter().find(|part| part.state == JobState::Dead).context("no dead part")?;
    assert_eq!((dead.number, dead.error.as_deref()), (1, Some(failure(false).message.as_str())));
    Ok(())
}

async fn a_film_whose_parts_are_over_does_not_wait(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (_, fence) = running(db, &acme).await?;
    db.split_job(&fence, &how(), 1).await?.context("the fence does not hold")?;
    let (_, told) = woken(make(db, part(db, &acme, 0).await?.id).await?)?;
    assert_eq!(told, [], "its own attempt sees for itself");
    assert_eq!(db.park_job(&fence).await?, Parked::Over);
    assert_eq!(db.heartbeat_job(&fence, 0.5).await?, reelgate_common::db::JobBeat::Held);
    Ok(())
}

async fn parts_of_a_film_that_is_stopped_are_stopped_and_go_on_with_it(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let fence = parked(db, &acme, 3).await?;
    make(db, part(db, &acme, 0).await?.id).await?;
    // By way of one of its parts.
    assert_eq!(db.cancel_job(&acme, part(db, &acme, 1).await?.id).await?, Cancelled::Stopped);
    assert_eq!(job(db, &acme, fence.file_id).await?.state, JobState::Cancelled);
    let states = |jobs: Vec<JobRecord>| jobs.iter().map(|job| job.state).collect::<Vec<_>>();
    assert_eq!(states(chunks(db, &acme).await?), [JobState::Done, JobState::Cancelled, JobState::Cancelled]);
    assert!(matches!(db.retry_job(&acme, fence.file_id).await?, Retried::Queued(due) if due.id == fence.job_id));
    let again = begin(db, fence.job_id).await?.fence;
    let due = db.split_job(&again, &how(), 3).await?.context("the fence does not hold")?;
    assert_eq!(due.len(), 2);
    assert_eq!(states(chunks(db, &acme).await?), [JobState::Done, JobState::Queued, JobState::Queued]);
    Ok(())
}

async fn parts_go_to_the_trash_and_come_back_with_their_film(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let fence = parked(db, &acme, 2).await?;
    make(db, part(db, &acme, 0).await?.id).await?;
    db.remove_file(&acme, fence.file_id, Removal::ToTrash(Duration::from_secs(3600))).await?;
    assert_eq!(part(db, &acme, 1).await.ok().map(|job| job.state), None, "what is away has no jobs to be seen");
    db.restore_file(&acme, fence.file_id).await?;
    assert_eq!(part(db, &acme, 1).await?.state, JobState::Queued);
    let attempt = begin(db, fence.job_id).await?;
    assert_eq!(db.park_job(&attempt.fence).await?, Parked::Waits);
    let (_, told) = woken(make(db, part(db, &acme, 1).await?.id).await?)?;
    assert_eq!(told, [fence.job_id]);
    Ok(())
}

async fn a_film_that_is_made_whole_after_all_forgets_its_parts(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (_, fence) = running(db, &acme).await?;
    db.split_job(&fence, &how(), 3).await?.context("the fence does not hold")?;
    let given_up = json!({ "way": "given_up" });
    assert_eq!(db.unsplit_job(&fence, &given_up).await?, Fenced::Written);
    assert!(chunks(db, &acme).await?.iter().all(|job| job.state == JobState::Cancelled));
    db.interrupt_attempt(&fence).await?;
    assert_eq!(db.unsplit_job(&fence, &given_up).await?, Fenced::Stale);
    let film = begin(db, fence.job_id).await?.split.context("it has forgotten why")?;
    assert_eq!((film.split, film.kept), (given_up, None));
    Ok(())
}

async fn a_film_that_is_made_once_more_is_divided_anew(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let fence = parked(db, &acme, 3).await?;
    for number in 0..3 {
        make(db, part(db, &acme, number).await?.id).await?;
    }
    let last = begin(db, fence.job_id).await?.fence;
    db.publish(&last, &rendition(&last, "720p", RenditionKind::Video)).await?;
    assert_eq!(db.finish_job(&last).await?, Fenced::Written);
    assert_eq!(chunks(db, &acme).await?.len(), 3, "what was done stays to be seen");
    // An object is gone, and the film's job is to make it again.
    db.withdraw_rendition(&acme, &rendition(&last, "720p", RenditionKind::Video)).await?;
    let again = begin(db, fence.job_id).await?;
    assert!(again.split.is_none(), "pieces are gone with the film's end");
    let due = db.split_job(&again.fence, &how(), 2).await?.context("the fence does not hold")?;
    assert_eq!((due.len(), chunks(db, &acme).await?.len()), (0, 2));
    assert!(chunks(db, &acme).await?.iter().all(|job| job.state == JobState::Queued && job.attempt == 1));
    assert_eq!(db.park_job(&again.fence).await?, Parked::Waits);
    Ok(())
}

async fn workers_are_counted_while_they_are_heard_of(place: Place) -> Result<()> {
    let db = &place.db;
    assert_eq!(db.worker_slots().await?.of(Lane::Large), 0);
    db.attend(&worker("w1"), 2, Lanes::ALL).await?;
    db.attend(&worker("w2"), 3, Lanes::ALL).await?;
    db.attend(&worker("w1"), 4, Lanes::ALL).await?;
    assert_eq!(db.worker_slots().await?.of(Lane::Large), 7);
    db.attend(&worker("w2"), 3, Lane::Small.into()).await?;
    let slots = db.worker_slots().await?;
    assert_eq!((slots.of(Lane::Large), slots.of(Lane::Small)), (4, 7), "parts wait for those who serve their lane");
    db.leave(&worker("w2")).await?;
    assert_eq!(db.worker_slots().await?.of(Lane::Large), 4);
    place.tamper("UPDATE workers SET seen_at = seen_at - 60000").await?;
    assert_eq!(db.worker_slots().await?.of(Lane::Large), 0);
    Ok(())
}

/// It would make the film whole, and leave the parts to nobody.
async fn a_worker_of_the_version_before_leaves_parts_alone(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let fence = parked(db, &acme, 2).await?;
    assert_eq!(part(db, &acme, 0).await?.payload_version, 2);
    assert_eq!(job(db, &acme, fence.file_id).await?.payload_version, 2);
    let (id, _) = waiting(db, &acme).await?;
    assert_eq!(job(db, &acme, id).await?.payload_version, 1, "what it can run it may run");
    Ok(())
}
