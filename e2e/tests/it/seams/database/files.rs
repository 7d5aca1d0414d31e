//! Files, uploads and tombstones.

use std::time::Duration;

use anyhow::{Context, Result};
use reelgate_common::{
    db::{FileFilter, JobBeat},
    file::{FileKind, FileState},
    ids::FileId,
    job::{JobPolicy, JobState},
    key::Key,
    rendition::RenditionKind,
    storage::MultipartId,
};

use super::{on_both, setup::*};

on_both!(
    a_file_is_seen_by_its_own_organisation_only,
    an_upload_ends_once,
    an_abandoned_upload_leaves_nothing,
    silent_uploads_are_found_until_touched,
    a_list_is_walked_newest_first_page_by_page,
    a_deleted_upload_keeps_its_multipart_until_the_purge,
    a_deleted_waiting_file_never_runs,
    a_deleted_running_file_waits_for_its_worker,
    a_deleted_ready_file_is_gone_for_readers,
    sources_move_once,
    many_files_are_known,
    a_location_is_unique_within_its_organisation,
);

async fn a_file_is_seen_by_its_own_organisation_only(place: Place) -> Result<()> {
    let (db, acme, other) = (&place.db, org("acme"), org("other"));
    let (id, _) = waiting(db, &acme).await?;
    let found = file(db, &acme, id).await?;
    assert_eq!((found.size_bytes, found.state), (7_000_000_000, FileState::Staged));
    assert!(db.find_location(&acme, &found.location).await?.is_some());

    assert!(db.find_file(&other, id).await?.is_none());
    assert!(db.find_location(&other, &found.location).await?.is_none());
    assert!(db.list_files(&other, &FileFilter { limit: 50, ..FileFilter::default() }).await?.is_empty());
    assert!(db.jobs_of(&other, id).await?.is_empty());
    assert!(!db.delete_file(&other, id).await?);
    db.abandon_upload(&other, id).await?;
    let again = db.stage_file(&other, id, &staged(FileState::Ready), None).await?;
    assert!(again.is_none());
    assert_eq!(file(db, &acme, id).await?, found);
    Ok(())
}

async fn an_upload_ends_once(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    assert_eq!(file(db, &acme, id).await?.state, FileState::Uploading);
    let ready = db.stage_file(&acme, id, &staged(FileState::Ready), None).await?.context("not staged")?;
    assert_eq!((ready.file.progress, ready.file.ready_at.is_some()), (1.0, true));
    assert!(db.stage_file(&acme, id, &staged(FileState::Ready), None).await?.is_none());
    assert!(db.silent_uploads(Duration::ZERO, 10).await?.is_empty());

    let gone = uploading(db, &acme).await?;
    db.delete_file(&acme, gone).await?;
    assert!(db.stage_file(&acme, gone, &staged(FileState::Staged), Some(&new_job(50))).await?.is_none());
    Ok(())
}

async fn an_abandoned_upload_leaves_nothing(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    db.abandon_upload(&acme, id).await?;
    assert!(db.known_files(&[id]).await?.is_empty());
    assert!(db.silent_uploads(Duration::ZERO, 10).await?.is_empty());

    let (kept, _) = waiting(db, &acme).await?;
    db.abandon_upload(&acme, kept).await?;
    assert_eq!(file(db, &acme, kept).await?.state, FileState::Staged);
    Ok(())
}

async fn silent_uploads_are_found_until_touched(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    db.set_multipart(id, &MultipartId("m-1".to_owned())).await?;
    let silent = db.silent_uploads(Duration::ZERO, 10).await?;
    assert_eq!((silent.len(), silent[0].file_id), (1, id));
    assert_eq!(silent[0].multipart, Some(MultipartId("m-1".to_owned())));
    assert_eq!(silent[0].key, Key::Staging { org: acme, file: id });
    db.touch_uploads(&[id, FileId::new()]).await?;
    let touched = db.silent_uploads(Duration::ZERO, 10).await?;
    assert!(touched[0].touched_at >= silent[0].touched_at);
    assert!(db.silent_uploads(Duration::from_secs(3_600), 10).await?.is_empty());
    Ok(())
}

async fn a_list_is_walked_newest_first_page_by_page(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(uploading(db, &acme).await?);
        uploading(db, &org("other")).await?;
    }
    db.delete_file(&acme, made[2]).await?;
    let mut walked = Vec::new();
    let mut filter = FileFilter { limit: 2, ..FileFilter::default() };
    loop {
        let page = db.list_files(&acme, &filter).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(filter.sort.place_of(&last.file));
        walked.extend(page.into_iter().map(|found| found.file.id));
    }
    assert_eq!(walked, [made[4], made[3], made[1], made[0]]);

    db.stage_file(&acme, made[1], &staged(FileState::Ready), None).await?;
    let narrowed =
        FileFilter { states: vec![FileState::Ready], kinds: vec![FileKind::Video], limit: 50, ..FileFilter::default() };
    let found = db.list_files(&acme, &narrowed).await?;
    assert_eq!(found.iter().map(|found| found.file.id).collect::<Vec<_>>(), [made[1]]);
    Ok(())
}

async fn a_deleted_upload_keeps_its_multipart_until_the_purge(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    let multipart = MultipartId("m-2".to_owned());
    db.set_multipart(id, &multipart).await?;
    assert!(db.delete_file(&acme, id).await?);
    assert!(!db.delete_file(&acme, id).await?);
    assert!(db.silent_uploads(Duration::ZERO, 10).await?.is_empty());
    let tombstone = db.tombstones(10).await?.pop().context("no tombstone")?;
    assert_eq!((tombstone.file_id, tombstone.multipart), (id, Some(multipart)));
    assert!(tombstone.running, "the gateway may still be receiving");

    db.abandon_upload(&acme, id).await?;
    assert!(!db.tombstones(10).await?[0].running);
    assert_eq!(db.known_files(&[id]).await?, [id]);
    db.purge_file(id).await?;
    assert!(db.known_files(&[id]).await?.is_empty());
    Ok(())
}

async fn a_deleted_waiting_file_never_runs(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, job_id) = waiting(db, &acme).await?;
    assert!(db.delete_file(&acme, id).await?);
    assert!(begin(db, job_id).await.is_err());
    assert!(db.due_jobs(Duration::ZERO, &JobPolicy::default(), 10, 10).await?.is_empty());
    assert!(!db.tombstones(10).await?[0].running);
    assert_eq!(job(db, &acme, id).await?.state, JobState::Cancelled);
    Ok(())
}

async fn a_deleted_running_file_waits_for_its_worker(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.delete_file(&acme, id).await?;
    assert_eq!(db.heartbeat_job(&fence, 0.5).await?, JobBeat::Cancelled);
    assert!(db.tombstones(10).await?[0].running);
    db.interrupt_attempt(&fence).await?;
    assert!(!db.tombstones(10).await?[0].running);
    assert_eq!(job(db, &acme, id).await?.state, JobState::Cancelled);
    db.purge_file(id).await?;
    assert_eq!(db.heartbeat_job(&fence, 0.5).await?, JobBeat::Cancelled);
    Ok(())
}

async fn a_deleted_ready_file_is_gone_for_readers(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    db.finish_job(&fence).await?;
    let location = file(db, &acme, id).await?.location;
    db.purge_file(id).await?;
    assert!(db.find_file(&acme, id).await?.is_some(), "only a deleted file may be purged");
    assert!(db.delete_file(&acme, id).await?);
    assert!(db.find_file(&acme, id).await?.is_none());
    assert!(db.find_location(&acme, &location).await?.is_none());
    db.purge_file(id).await?;
    assert!(db.tombstones(10).await?.is_empty());
    Ok(())
}

async fn sources_move_once(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (probing, _) = waiting(db, &acme).await?;
    let id = uploading(db, &acme).await?;
    assert!(db.unpromoted(10).await?.is_empty());
    db.stage_file(&acme, id, &staged(FileState::Ready), None).await?;
    let (from, to) = (Key::Staging { org: acme.clone(), file: id }, Key::Source { org: acme.clone(), file: id });
    assert_eq!(db.unpromoted(10).await?, [(acme.clone(), id, from.clone())]);
    assert!(db.set_source_key(id, &from, &to).await?);
    assert!(!db.set_source_key(id, &from, &to).await?);
    assert_eq!(file(db, &acme, id).await?.source_key, to);
    assert!(db.unpromoted(10).await?.is_empty());
    assert_eq!(file(db, &acme, probing).await?.state, FileState::Staged);
    Ok(())
}

async fn many_files_are_known(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    let mut asked: Vec<FileId> = (0..40_000).map(|_| FileId::new()).collect();
    asked.insert(20_000, id);
    assert_eq!(db.known_files(&asked).await?, [id]);
    db.touch_uploads(&asked).await?;
    Ok(())
}

async fn a_location_is_unique_within_its_organisation(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let first = new_file(&acme);
    db.create_file(&first).await?;
    let mut second = new_file(&acme);
    second.location.clone_from(&first.location);
    assert!(db.create_file(&second).await.is_err());
    assert!(db.known_files(&[second.id]).await?.is_empty());
    second.org_id = org("other");
    db.create_file(&second).await?;
    assert!(db.find_location(&acme, "nul\0byte").await?.is_none());
    Ok(())
}
