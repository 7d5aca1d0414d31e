//! Results: each is written under the fence, and once.

use anyhow::{Context, Result};
use reelgate_common::{
    db::{Db, Fenced, FinishedStills, JobBeat, Parked, PartEnd, Refusal, StillLimits, Verdict},
    file::{FileKind, FileState},
    grid::SegmentGrid,
    job::{Fence, JobState},
    media_info::MediaInfo,
    rendition::{Packaging, RenditionKind},
    still::{Still, StillFormat},
};
use serde_json::json;

use super::{on_both, setup::*};

on_both!(
    the_first_playable_rendition_makes_a_file_ready,
    publishing_twice_is_harmless,
    another_attempts_name_is_stale,
    the_probe_is_stored,
    packaging_is_stored_with_its_rendition,
    what_was_kept_back_stands_beside_the_plan,
    no_fence_but_the_right_one_writes,
    a_lost_attempt_writes_nothing,
    an_attempt_of_a_deleted_file_writes_nothing,
    a_dead_job_leaves_a_playable_file_ready,
    a_finished_job_without_anything_playable_fails_its_file,
    the_next_attempt_knows_what_is_published,
);

fn media() -> MediaInfo {
    MediaInfo {
        container: "mov".to_owned(),
        duration_ms: 60_000,
        bitrate: 1_000_000,
        web_safe: true,
        ..MediaInfo::default()
    }
}

async fn record(db: &Db, fence: &Fence) -> Result<Fenced> {
    let grid = SegmentGrid::Points { timescale: 90_000, pts: vec![0, 180_000] };
    Ok(db.record_probe(fence, FileKind::Audio, "audio/mp4", &media(), &grid, &json!({"rungs": [1]})).await?)
}

async fn what_was_kept_back_stands_beside_the_plan(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    record(db, &fence).await?;
    let refusal = |name: &str| Refusal {
        name: name.to_owned(),
        code: "output_refused".to_owned(),
        message: "Half of it is missing: \u{1f3ac}".to_owned(),
    };
    assert_eq!(db.record_refusals(&fence, &[refusal("1080p"), refusal("720p")]).await?, Fenced::Written);
    // What an attempt that lost its fence says does not count.
    let late = Fence { attempt: fence.attempt + 1, ..fence };
    assert_eq!(db.record_refusals(&late, &[refusal("480p")]).await?, Fenced::Stale);
    let plan = job(db, &acme, id).await?.plan.context("no plan")?;
    assert_eq!(plan["rungs"], json!([1]), "the plan stays");
    let refused = json!([refusal("1080p"), refusal("720p")]);
    assert_eq!(plan["refused"], refused);
    Ok(())
}

async fn the_first_playable_rendition_makes_a_file_ready(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.heartbeat_job(&fence, 0.5).await?;
    db.publish(&fence, &rendition(&fence, "poster", RenditionKind::Poster)).await?;
    assert_eq!(file(db, &acme, id).await?.state, FileState::Processing);
    let published = rendition(&fence, "720p", RenditionKind::Video);
    assert_eq!(db.publish(&fence, &published).await?, Fenced::Written);
    let found = db.find_file(&acme, id).await?.context("no file")?;
    assert_eq!((found.file.state, found.file.progress), (FileState::Ready, 0.5));
    let stored = found.renditions.iter().find(|made| made.name == "720p").context("not listed")?;
    assert_eq!(
        (&stored.layout, &stored.codecs, stored.size_bytes),
        (&published.layout, &published.codecs, 5_000_000_000)
    );
    let ready_at = found.file.ready_at;
    db.publish(&fence, &rendition(&fence, "360p", RenditionKind::Video)).await?;
    assert_eq!(db.finish_job(&fence).await?, Fenced::Written);
    assert_eq!(db.finish_job(&fence).await?, Fenced::Written);
    let found = file(db, &acme, id).await?;
    assert_eq!((found.state, found.progress, found.ready_at), (FileState::Ready, 1.0, ready_at));
    assert_eq!(job(db, &acme, id).await?.state, JobState::Done);
    Ok(())
}

async fn publishing_twice_is_harmless(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    for _ in 0..2 {
        let answer = db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
        assert_eq!(answer, Fenced::Written);
    }
    assert_eq!(db.find_file(&acme, id).await?.context("no file")?.renditions.len(), 1);
    Ok(())
}

async fn another_attempts_name_is_stale(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, first) = running(db, &acme).await?;
    db.publish(&first, &rendition(&first, "720p", RenditionKind::Video)).await?;
    db.interrupt_attempt(&first).await?;
    let second = begin(db, first.job_id).await?.fence;
    assert_eq!(db.publish(&second, &rendition(&second, "720p", RenditionKind::Video)).await?, Fenced::Stale);
    assert_eq!(db.publish(&second, &rendition(&second, "360p", RenditionKind::Video)).await?, Fenced::Written);
    let found = db.find_file(&acme, id).await?.context("no file")?;
    let attempts: Vec<_> = found.renditions.iter().map(|made| (made.name.as_str(), made.attempt)).collect();
    assert_eq!(attempts, [("360p", 2), ("720p", 1)]);
    Ok(())
}

async fn the_probe_is_stored(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    assert_eq!(record(db, &fence).await?, Fenced::Written);
    let found = file(db, &acme, id).await?;
    assert_eq!((found.kind, found.content_type.as_str(), found.media), (FileKind::Audio, "audio/mp4", Some(media())));
    assert_eq!(found.grid, Some(SegmentGrid::Points { timescale: 90_000, pts: vec![0, 180_000] }));
    assert_eq!(job(db, &acme, id).await?.plan, Some(json!({"rungs": [1]})));
    assert!(db.unpromoted(10).await?.is_empty(), "its worker promotes it");
    db.interrupt_attempt(&fence).await?;
    assert_eq!(db.unpromoted(10).await?.len(), 1);
    Ok(())
}

async fn packaging_is_stored_with_its_rendition(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    let summary = json!({"tracks": [{"kind": "video", "sample_entry": "AAAA"}], "target_duration": 6});
    let packaging = Some(Packaging { index: "720p.index".to_owned(), summary });
    let mut packaged = rendition(&fence, "720p", RenditionKind::Video);
    packaged.packaging.clone_from(&packaging);
    db.publish(&fence, &packaged).await?;
    db.publish(&fence, &rendition(&fence, "360p", RenditionKind::Video)).await?;
    let found = db.find_file(&acme, id).await?.context("no file")?;
    let stored: Vec<_> = found.renditions.iter().map(|made| (made.name.as_str(), &made.packaging)).collect();
    assert_eq!(stored, [("360p", &None), ("720p", &packaging)]);
    Ok(())
}

const STILL: Still = Still { second: 1, width: 160, format: StillFormat::Jpeg };

/// Every helper of the database that takes a fence and writes a result is refused here: a new one has to be added.
#[test]
fn every_fenced_write_is_among_those_that_are_refused() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/src/db");
    let sources =
        std::fs::read_dir(folder).unwrap().filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
    let fenced: Vec<String> = sources.flat_map(|source| fenced_helpers(&source)).collect();
    assert!(fenced.len() > 8, "the scan finds hardly anything: {fenced:?}");
    let exercised =
        include_str!("results.rs").split("async fn refuses_all").last().unwrap().split("\n}\n").next().unwrap();
    // These write nothing that anybody sees as a result, or answer in words of their own.
    let others = ["heartbeat_job", "attempt_runs", "note_attempt", "wanted_stills"];
    let missing = fenced.iter().filter(|name| !others.contains(&name.as_str()));
    let missing: Vec<_> =
        missing.filter(|name| !exercised.contains(&format!(".{name}(")) && *name != "record_probe").collect();
    assert!(missing.is_empty() && exercised.contains("record(db, fence)"), "not refused by a test: {missing:?}");
}

fn fenced_helpers(source: &str) -> Vec<String> {
    let helpers = source.split("pub async fn ").skip(1).filter(|text| {
        let signature = text.split('{').next().unwrap_or_default();
        signature.contains("fence: &Fence")
    });
    helpers.filter_map(|text| text.split('(').next().map(str::to_owned)).collect()
}

/// Every write of a result, each of which must be refused.
async fn refuses_all(db: &Db, fence: &Fence) -> Result<()> {
    assert_eq!(record(db, fence).await?, Fenced::Stale);
    assert_eq!(db.publish(fence, &rendition(fence, "720p", RenditionKind::Video)).await?, Fenced::Stale);
    assert_eq!(db.record_refusals(fence, &[]).await?, Fenced::Stale);
    assert_eq!(db.publish_still(fence, &STILL, 1, "etag").await?, Fenced::Stale);
    assert_eq!(db.refuse_still(fence, &STILL, "no").await?, Fenced::Stale);
    assert_eq!(db.finish_stills(fence).await?, FinishedStills::Stale);
    assert_eq!(db.split_job(fence, &json!({}), 3).await?, None);
    assert_eq!(db.unsplit_job(fence, &json!({})).await?, Fenced::Stale);
    assert_eq!(db.keep_made(fence, &json!({})).await?, Fenced::Stale);
    assert_eq!(db.park_job(fence).await?, Parked::Stale);
    assert_eq!(db.finish_part(fence, &json!({}), (0.0, 1.0)).await?, PartEnd::Stale);
    assert_eq!(db.finish_job(fence).await?, Fenced::Stale);
    assert_eq!(db.fail_attempt(fence, &failure(false), &AT_ONCE, 0.5).await?, Verdict::Stale);
    assert_eq!(db.interrupt_attempt(fence).await?, Fenced::Stale);
    Ok(())
}

async fn no_fence_but_the_right_one_writes(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    let (_, other) = running(db, &acme).await?;
    db.ask_still(&acme, id, &STILL, StillLimits { waiting: 9, stored: 9 }).await?;
    let (before, job_before) = (file(db, &acme, id).await?, db.jobs_of(&acme, id).await?);
    let wrong = [
        Fence { attempt: fence.attempt + 1, ..fence },
        Fence { attempt: fence.attempt - 1, ..fence },
        Fence { generation: fence.generation + 1, ..fence },
        Fence { file_id: other.file_id, ..fence },
    ];
    for fence in wrong {
        refuses_all(db, &fence).await?;
    }
    assert_eq!((file(db, &acme, id).await?, db.jobs_of(&acme, id).await?), (before, job_before));
    assert_eq!(db.publish_still(&fence, &STILL, 1, "etag").await?, Fenced::Written, "the right one writes");
    Ok(())
}

async fn a_lost_attempt_writes_nothing(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.lose_attempt(fence.job_id, None, &AT_ONCE, 0.5).await?;
    refuses_all(db, &fence).await?;
    let next = begin(db, fence.job_id).await?.fence;
    refuses_all(db, &fence).await?;
    assert_eq!(db.heartbeat_job(&fence, 0.9).await?, JobBeat::Lost);
    assert_eq!(db.heartbeat_job(&next, 0.1).await?, JobBeat::Held);
    assert_eq!(file(db, &acme, id).await?.progress, 0.1);
    Ok(())
}

async fn an_attempt_of_a_deleted_file_writes_nothing(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.delete_file(&acme, id).await?;
    refuses_all(db, &fence).await?;
    assert_eq!(db.lose_attempt(fence.job_id, None, &AT_ONCE, 0.5).await?, Verdict::Stale);
    assert_eq!(job(db, &acme, id).await?.state, JobState::Cancelled);
    db.purge_file(id).await?;
    refuses_all(db, &fence).await
}

async fn a_dead_job_leaves_a_playable_file_ready(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    assert_eq!(db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.5).await?, Verdict::Dead);
    let found = file(db, &acme, id).await?;
    assert_eq!((found.state, found.progress, found.failure), (FileState::Ready, 1.0, None));
    assert_eq!(job(db, &acme, id).await?.state, JobState::Dead);
    Ok(())
}

async fn a_finished_job_without_anything_playable_fails_its_file(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.publish(&fence, &rendition(&fence, "poster", RenditionKind::Poster)).await?;
    assert_eq!(db.finish_job(&fence).await?, Fenced::Written);
    let found = file(db, &acme, id).await?;
    assert_eq!(found.state, FileState::Failed);
    assert_eq!(found.failure.context("no failure")?.code, "nothing_playable");
    Ok(())
}

async fn the_next_attempt_knows_what_is_published(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (_, fence) = running(db, &acme).await?;
    record(db, &fence).await?;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    db.lose_attempt(fence.job_id, Some(fence.attempt), &AT_ONCE, 0.5).await?;
    let next = begin(db, fence.job_id).await?;
    assert_eq!(next.published.iter().map(|made| made.name.as_str()).collect::<Vec<_>>(), ["720p"]);
    assert_eq!((next.file.state, next.file.media), (FileState::Ready, Some(media())));
    Ok(())
}
