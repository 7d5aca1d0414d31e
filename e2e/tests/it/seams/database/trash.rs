//! The trash and its way back, and files whose time is over.

use std::time::Duration;

use anyhow::Result;
use reelgate_common::{
    db::{FileChange, FileFilter, JobBeat, Removal, Removed, RestoredFile},
    file::FileState,
    job::JobState,
    rendition::RenditionKind,
};

use super::{on_both, setup::*};

on_both!(
    what_is_in_the_trash_is_gone_and_comes_back_whole,
    what_was_being_made_is_made_on_after_a_restore,
    what_a_person_has_stopped_stays_stopped,
    what_was_in_the_trash_for_long_enough_is_deleted,
    an_upload_is_not_kept_in_the_trash,
    an_expired_file_is_gone_before_anybody_comes_by,
);

const KEEP: Removal = Removal::ToTrash(Duration::from_secs(3_600));

async fn what_is_in_the_trash_is_gone_and_comes_back_whole(place: Place) -> Result<()> {
    let (db, acme, other) = (&place.db, org("acme"), org("other"));
    let (id, fence) = running(db, &acme).await?;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    db.finish_job(&fence).await?;
    let before = db.find_file(&acme, id).await?.expect("it was stored");
    let usage = db.usage(&acme).await?;

    assert_eq!(db.remove_file(&other, id, KEEP).await?, Removed::NoSuchFile);
    assert_eq!(db.remove_file(&acme, id, KEEP).await?, Removed::Trashed);
    assert_eq!(db.remove_file(&acme, id, KEEP).await?, Removed::NoSuchFile, "it is there already");
    assert!(db.find_file(&acme, id).await?.is_none());
    assert!(db.find_location(&acme, &before.file.location).await?.is_none());
    let all = FileFilter { limit: 50, ..FileFilter::default() };
    let trash = FileFilter { trashed: true, ..all.clone() };
    assert_eq!(db.list_files(&acme, &all).await?.len(), 0);
    assert_eq!(db.list_files(&acme, &trash).await?[0].file.id, id);
    assert_eq!(db.list_files(&other, &trash).await?.len(), 0);
    assert!(db.find_trashed(&other, id).await?.is_none());
    assert!(db.find_trashed(&acme, id).await?.is_some_and(|row| row.file.trashed_at.is_some()));
    assert!(db.living_files(&[id]).await?.is_empty(), "caches drop it");
    assert_eq!(db.known_files(&[id]).await?, [id], "and the reconciler keeps its objects");
    assert!(db.file_stands(&acme, id).await? && db.tombstones(10).await?.is_empty());
    assert_eq!(db.usage(&acme).await?, usage, "it takes room");
    assert!(db.ended_files(10).await?.is_empty());

    assert!(matches!(db.restore_file(&other, id).await?, RestoredFile::NoSuchFile));
    let RestoredFile::Back(row, due) = db.restore_file(&acme, id).await? else { panic!() };
    assert!(due.is_empty(), "there is nothing left to be made");
    assert_eq!(row.renditions, before.renditions);
    let mut back = row.file;
    back.updated_at = before.file.updated_at;
    assert_eq!(back, before.file);
    assert!(matches!(db.restore_file(&acme, id).await?, RestoredFile::NoSuchFile));
    Ok(())
}

async fn what_was_being_made_is_made_on_after_a_restore(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, fence) = running(db, &acme).await?;
    db.remove_file(&acme, id, KEEP).await?;
    assert_eq!(db.heartbeat_job(&fence, 0.5).await?, JobBeat::Cancelled);
    let published = db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    assert_eq!(published, reelgate_common::db::Fenced::Stale);
    assert!(db.stuck_files(Duration::ZERO, 10).await?.is_empty(), "nothing is to move it");
    assert!(db.files_after(None, db.clock().await?.plus(Duration::from_secs(9)), 10).await?.is_empty());

    let RestoredFile::Back(row, due) = db.restore_file(&acme, id).await? else { panic!() };
    assert_eq!((row.file.state, due.len()), (FileState::Processing, 1));
    assert_eq!(job(db, &acme, id).await?.state, JobState::Queued);
    assert_eq!(db.heartbeat_job(&fence, 0.5).await?, JobBeat::Lost, "its first worker does not write again");
    let again = begin(db, due[0].id).await?;
    assert_eq!(again.fence.attempt, fence.attempt + 1);
    db.publish(&again.fence, &rendition(&again.fence, "720p", RenditionKind::Video)).await?;
    assert_eq!(file(db, &acme, id).await?.state, FileState::Ready);
    Ok(())
}

async fn what_a_person_has_stopped_stays_stopped(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, job_id) = waiting(db, &acme).await?;
    db.cancel_job(&acme, job_id).await?;
    // Else both may happen in one millisecond, which no person can.
    place.tamper("UPDATE jobs SET finished_at = finished_at - 1").await?;
    db.remove_file(&acme, id, KEEP).await?;
    let RestoredFile::Back(row, due) = db.restore_file(&acme, id).await? else { panic!() };
    assert_eq!((row.file.state, due.len()), (FileState::Failed, 0));
    Ok(())
}

async fn what_was_in_the_trash_for_long_enough_is_deleted(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = waiting(db, &acme).await?;
    let (kept, _) = waiting(db, &acme).await?;
    db.remove_file(&acme, id, Removal::ToTrash(Duration::ZERO)).await?;
    db.remove_file(&acme, kept, KEEP).await?;
    assert_eq!(db.ended_files(10).await?, [(acme.clone(), id)]);
    assert_eq!(db.remove_file(&acme, kept, Removal::Ending).await?, Removed::NoSuchFile, "its time is not over");
    assert_eq!(db.remove_file(&acme, id, Removal::Ending).await?, Removed::Deleted);
    assert!(db.ended_files(10).await?.is_empty());
    assert_eq!(db.tombstones(10).await?.len(), 1);
    assert!(matches!(db.restore_file(&acme, id).await?, RestoredFile::NoSuchFile));
    assert_eq!(db.remove_file(&acme, kept, Removal::Deletion).await?, Removed::Deleted, "out of the trash");
    Ok(())
}

async fn an_upload_is_not_kept_in_the_trash(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = uploading(db, &acme).await?;
    assert_eq!(db.remove_file(&acme, id, KEEP).await?, Removed::Deleted);
    assert!(db.find_trashed(&acme, id).await?.is_none());
    Ok(())
}

async fn an_expired_file_is_gone_before_anybody_comes_by(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = waiting(db, &acme).await?;
    let (trashed, _) = waiting(db, &acme).await?;
    let later = db.clock().await?.plus(Duration::from_secs(3_600));
    for file in [id, trashed] {
        let ends = FileChange { expires_at: Some(Some(later)), ..FileChange::default() };
        db.change_file(&acme, file, &ends).await?;
    }
    db.remove_file(&acme, trashed, KEEP).await?;
    assert!(db.find_file(&acme, id).await?.is_some() && db.ended_files(10).await?.is_empty());
    place.tamper("UPDATE files SET expires_at = 1").await?;

    assert!(db.find_file(&acme, id).await?.is_none() && db.find_trashed(&acme, trashed).await?.is_none());
    let all = FileFilter { limit: 50, ..FileFilter::default() };
    assert!(db.list_files(&acme, &all).await?.is_empty());
    assert!(db.list_files(&acme, &FileFilter { trashed: true, ..all }).await?.is_empty());
    assert!(db.living_files(&[id]).await?.is_empty() && db.file_stands(&acme, id).await?);
    assert!(matches!(db.restore_file(&acme, trashed).await?, RestoredFile::NoSuchFile));
    let off = FileChange { expires_at: Some(None), ..FileChange::default() };
    assert!(matches!(db.change_file(&acme, id, &off).await?, reelgate_common::db::ChangedFile::NoSuchFile));
    let ended = db.ended_files(10).await?;
    assert_eq!(ended.len(), 2);
    for (org, file) in ended {
        assert_eq!(db.remove_file(&org, file, Removal::Ending).await?, Removed::Deleted);
    }
    assert_eq!(db.tombstones(10).await?.len(), 2);
    Ok(())
}
