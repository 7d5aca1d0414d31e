//! What files are watched for: counted, queued once, made under its own job's fence, and dropped when nobody is shown it.

use std::time::Duration;

use anyhow::{Context, Result};
use reelgate_common::{
    db::{ColdRendition, Db, Fenced, Refusal, Retried, Verdict, Views},
    earned::EarnedPolicy,
    file::{FileKind, FileState},
    grid::SegmentGrid,
    ids::{FileId, JobId, OrgId, UserId},
    job::{EARN_PRIORITY, Fence, JobKind, JobRecord, JobState},
    lease::{Client, LeaseId, Parameter, Pin, PlaybackLease, Shown},
    media_info::MediaInfo,
    rendition::{Packaging, RenditionKind},
    timestamp::Timestamp,
};
use serde_json::json;

use super::{on_both, setup::*};

on_both!(
    views_add_up_within_their_window,
    what_is_watched_often_enough_is_queued_once_and_comes_as_earned,
    what_comes_while_it_is_made_is_looked_at_again,
    a_job_that_is_given_up_leaves_its_file_as_it_is_and_is_not_woken_by_views,
    what_was_kept_back_is_not_asked_for_again,
    only_what_is_cold_and_earned_goes_and_never_while_somebody_plays,
    what_was_dropped_is_earned_again_and_a_deletion_takes_all_with_it,
);

const SLOT: Duration = Duration::from_secs(86_400);
const WINDOW: Duration = Duration::from_secs(30 * 86_400);
const SILENT: Duration = Duration::from_secs(1_800);

fn policy() -> EarnedPolicy {
    EarnedPolicy { enabled: true, rungs_after_views: 3, codecs_after_views: 5, ..EarnedPolicy::default() }
}

/// A file that has what is made at once, and whose plan holds back the rest.
async fn ready(db: &Db, org: &OrgId) -> Result<(FileId, Fence)> {
    let (id, fence) = running(db, org).await?;
    let plan = json!({ "rungs": [], "earned": [
        { "name": "1080p", "level": "rung" },
        { "name": "1080p-av1", "level": "codec" },
    ] });
    let grid = SegmentGrid::Regular { period_ms: 2_000 };
    db.record_probe(&fence, FileKind::Video, "video/mp4", &MediaInfo::default(), &grid, &plan).await?;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    assert_eq!(db.finish_job(&fence).await?, Fenced::Written);
    Ok((id, fence))
}

async fn watch(db: &Db, org: &OrgId, file: FileId, times: u64) -> Result<()> {
    Ok(db.count_views(&[(org.clone(), file, times)], SLOT).await?)
}

async fn earn_job(db: &Db, org: &OrgId, file: FileId) -> Result<Option<JobRecord>> {
    Ok(db.jobs_of(org, file).await?.into_iter().find(|job| job.kind == JobKind::Earn))
}

async fn queued(db: &Db, org: &OrgId, file: FileId) -> Result<JobId> {
    watch(db, org, file, 3).await?;
    assert_eq!(db.earn(org, file, &policy()).await?, ["1080p"]);
    Ok(earn_job(db, org, file).await?.context("no job")?.id)
}

/// As a rung of an attempt of the job that makes what was earned.
async fn publish(db: &Db, fence: &Fence, name: &str) -> Result<Fenced> {
    let mut made = rendition(fence, name, RenditionKind::Video);
    made.packaging = Some(Packaging { index: format!("earned-{name}.index"), summary: json!({}) });
    Ok(db.publish(fence, &made).await?)
}

async fn views_add_up_within_their_window(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = ready(db, &acme).await?;
    let (gone, foreign) = (FileId::new(), org("globex"));
    db.count_views(&[(acme.clone(), id, 2), (acme.clone(), gone, 9), (foreign.clone(), id, 7)], SLOT).await?;
    watch(db, &acme, id, 1).await?;
    assert_eq!(db.views_of(&acme, id, WINDOW).await?, Views { window: 3, total: 3 });
    assert_eq!(db.views_of(&foreign, id, WINDOW).await?, Views::default(), "a foreign file is none");
    assert_eq!(db.watched_files(10).await?, [(acme.clone(), id)]);
    place.tamper("UPDATE view_slots SET slot_at = slot_at - 2678400000").await?;
    watch(db, &acme, id, 1).await?;
    assert_eq!(db.views_of(&acme, id, WINDOW).await?, Views { window: 1, total: 4 });
    assert_eq!((db.prune_views(WINDOW).await?, db.prune_views(WINDOW).await?), (1, 0));
    assert_eq!(db.views_of(&acme, id, WINDOW).await?, Views { window: 1, total: 4 });
    Ok(())
}

async fn what_is_watched_often_enough_is_queued_once_and_comes_as_earned(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = ready(db, &acme).await?;
    watch(db, &acme, id, 2).await?;
    assert!(db.earn(&acme, id, &policy()).await?.is_empty());
    assert!(db.watched_files(10).await?.is_empty(), "it has been looked at");
    watch(db, &acme, id, 1).await?;
    assert!(db.earn(&org("globex"), id, &policy()).await?.is_empty());
    assert_eq!(db.earn(&acme, id, &policy()).await?, ["1080p"]);
    let job = earn_job(db, &acme, id).await?.context("no job")?;
    assert_eq!((job.state, job.priority, job.payload_version), (JobState::Queued, EARN_PRIORITY, 3));
    assert!(db.earn(&acme, id, &policy()).await?.is_empty(), "it is queued already");
    let attempt = begin(db, job.id).await?;
    let errand = attempt.errand.context("no errand")?;
    assert_eq!((errand.wanted, errand.plan["earned"][0]["name"].as_str()), (vec!["1080p".to_owned()], Some("1080p")));
    assert_eq!(publish(db, &attempt.fence, "1080p").await?, Fenced::Written);
    assert_eq!(publish(db, &attempt.fence, "720p").await?, Fenced::Stale, "the film's own job was first");
    let found = db.find_file(&acme, id).await?.context("no file")?;
    assert_eq!((found.file.state, found.file.progress), (FileState::Ready, 1.0));
    let earned: Vec<_> = found.renditions.iter().map(|made| (made.name.as_str(), made.earned)).collect();
    assert!(earned.contains(&("1080p", true)) && earned.contains(&("720p", false)), "{earned:?}");
    assert!(found.renditions.iter().all(|made| made.used_at.is_some() == made.earned));
    assert_eq!(db.finish_job(&attempt.fence).await?, Fenced::Written);
    assert!(db.earn(&acme, id, &policy()).await?.is_empty(), "nothing more was earned");
    Ok(())
}

async fn what_comes_while_it_is_made_is_looked_at_again(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = ready(db, &acme).await?;
    let job = queued(db, &acme, id).await?;
    let attempt = begin(db, job).await?;
    watch(db, &acme, id, 2).await?;
    assert!(db.earn(&acme, id, &policy()).await?.is_empty(), "it runs");
    publish(db, &attempt.fence, "1080p").await?;
    db.finish_job(&attempt.fence).await?;
    assert_eq!(db.watched_files(10).await?, [(acme.clone(), id)]);
    assert_eq!(db.earn(&acme, id, &policy()).await?, ["1080p-av1"]);
    let next = begin(db, job).await?;
    assert_eq!((next.fence.attempt, next.errand.context("no errand")?.wanted), (2, vec!["1080p-av1".to_owned()]));
    Ok(())
}

async fn a_job_that_is_given_up_leaves_its_file_as_it_is_and_is_not_woken_by_views(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = ready(db, &acme).await?;
    let job = queued(db, &acme, id).await?;
    let fence = begin(db, job).await?.fence;
    assert_eq!(db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.5).await?, Verdict::Dead);
    let found = file(db, &acme, id).await?;
    assert_eq!((found.state, found.progress, found.failure), (FileState::Ready, 1.0, None));
    watch(db, &acme, id, 100).await?;
    assert!(db.earn(&acme, id, &policy()).await?.is_empty(), "that is a person's matter");
    assert!(matches!(db.retry_job(&acme, id).await?, Retried::Queued(due) if due.id == job));
    assert_eq!(begin(db, job).await?.errand.context("no errand")?.wanted, ["1080p"]);
    Ok(())
}

async fn what_was_kept_back_is_not_asked_for_again(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = ready(db, &acme).await?;
    let fence = begin(db, queued(db, &acme, id).await?).await?.fence;
    let refusal = Refusal { name: "1080p".to_owned(), code: "output_refused".to_owned(), message: String::new() };
    db.record_refusals(&fence, &[refusal]).await?;
    db.finish_job(&fence).await?;
    watch(db, &acme, id, 1).await?;
    assert!(db.earn(&acme, id, &policy()).await?.is_empty());
    watch(db, &acme, id, 1).await?;
    assert_eq!(db.earn(&acme, id, &policy()).await?, ["1080p-av1"]);
    Ok(())
}

fn lease(org: &OrgId, file: FileId, now: Timestamp) -> PlaybackLease {
    PlaybackLease {
        id: LeaseId::random(),
        org: org.clone(),
        user: UserId::new("bob"),
        file,
        token_id: "token".to_owned(),
        scope: Vec::new(),
        token_issued_at: now,
        token_expires_at: now,
        client: Client::new(b"player", "192.0.2.1".parse().expect("an address")),
        opened_at: now,
        seen_at: now,
        ends_at: now.plus(Duration::from_secs(3_600)),
        moves: Vec::new(),
        pins: vec![Pin { parameter: Parameter::Packaged, generation: 1, shown: Shown::Packaged }],
    }
}

/// Earned, made and not shown since an hour ago.
async fn cold(place: &Place, org: &OrgId) -> Result<(FileId, ColdRendition)> {
    let db = &place.db;
    let (id, _) = ready(db, org).await?;
    let fence = begin(db, queued(db, org, id).await?).await?.fence;
    publish(db, &fence, "1080p").await?;
    db.finish_job(&fence).await?;
    place.tamper("UPDATE renditions SET used_at = used_at - 3600000 WHERE earned").await?;
    let cold =
        ColdRendition { org_id: org.clone(), file_id: id, generation: fence.generation, name: "1080p".to_owned() };
    Ok((id, cold))
}

const HALF_AN_HOUR: Duration = Duration::from_secs(1_800);
const TWO_HOURS: Duration = Duration::from_secs(7_200);

async fn only_what_is_cold_and_earned_goes_and_never_while_somebody_plays(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, cold) = cold(&place, &acme).await?;
    let drop = async |cold: &ColdRendition, after| {
        db.drop_rendition(&cold.org_id, cold, (after, SILENT, Duration::ZERO)).await
    };
    assert!(db.cold_renditions(TWO_HOURS, SILENT, 10).await?.is_empty());
    assert_eq!(db.cold_renditions(HALF_AN_HOUR, SILENT, 10).await?, std::slice::from_ref(&cold));
    assert_eq!(drop(&cold, TWO_HOURS).await?, None, "it is not cold for long enough");
    let start = ColdRendition { name: "720p".to_owned(), ..cold.clone() };
    assert_eq!(drop(&start, Duration::ZERO).await?, None, "it was made with the file");
    let foreign = ColdRendition { org_id: org("globex"), ..cold.clone() };
    assert_eq!(drop(&foreign, HALF_AN_HOUR).await?, None);

    let lease = lease(&acme, id, db.clock().await?);
    db.open_lease(&lease, SILENT, 9).await?;
    assert!(db.cold_renditions(HALF_AN_HOUR, SILENT, 10).await?.is_empty(), "somebody plays the file");
    assert_eq!(drop(&cold, HALF_AN_HOUR).await?, None);
    place.tamper("UPDATE playback_leases SET seen_at = seen_at - 3600000").await?;

    db.touch_renditions(&[(id, cold.generation, "1080p".to_owned()), (id, cold.generation, "720p".to_owned())]).await?;
    assert_eq!(drop(&cold, HALF_AN_HOUR).await?, None, "somebody was shown it");
    place.tamper("UPDATE renditions SET used_at = used_at - 3600000 WHERE earned").await?;
    assert_eq!(drop(&cold, HALF_AN_HOUR).await?, Some(5_000_000_000));
    assert_eq!(drop(&cold, HALF_AN_HOUR).await?, None, "once");
    let found = db.find_file(&acme, id).await?.context("no file")?;
    assert_eq!(found.renditions.iter().map(|made| made.name.as_str()).collect::<Vec<_>>(), ["720p"]);
    assert_eq!((found.file.state, found.renditions[0].used_at), (FileState::Ready, None));
    let mut left: Vec<_> = db.dropped_objects(10).await?;
    left.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(left.iter().map(|object| object.name.as_str()).collect::<Vec<_>>(), ["1080p.mp4", "earned-1080p.index"]);
    assert_eq!((db.dropped_of(&acme, id).await?.len(), db.dropped_of(&org("globex"), id).await?.len()), (2, 0));
    db.forget_dropped(&left[0]).await?;
    assert_eq!(db.dropped_objects(10).await?, left[1..]);
    Ok(())
}

async fn what_was_dropped_is_earned_again_and_a_deletion_takes_all_with_it(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, cold) = cold(&place, &acme).await?;
    let times = (HALF_AN_HOUR, SILENT, Duration::from_secs(60));
    assert!(db.drop_rendition(&acme, &cold, times).await?.is_some());
    assert!(db.dropped_objects(10).await?.is_empty(), "their grace is not over");
    watch(db, &acme, id, 1).await?;
    assert_eq!(db.earn(&acme, id, &policy()).await?, ["1080p"]);
    let job = earn_job(db, &acme, id).await?.context("no job")?;
    let fence = begin(db, job.id).await?.fence;
    assert_eq!((fence.attempt, publish(db, &fence, "1080p").await?), (2, Fenced::Written));
    let time = db.worker_time(&acme, id).await?;
    assert!(time.total_ms >= time.earned_ms);
    db.delete_file(&acme, id).await?;
    assert_eq!(db.finish_job(&fence).await?, Fenced::Stale);
    assert!(db.cold_renditions(Duration::ZERO, SILENT, 10).await?.is_empty());
    watch(db, &acme, id, 1).await?;
    db.purge_file(id).await?;
    assert!(db.watched_files(10).await?.is_empty() && db.dropped_of(&acme, id).await?.is_empty());
    assert_eq!(db.views_of(&acme, id, WINDOW).await?, Views::default());
    Ok(())
}
