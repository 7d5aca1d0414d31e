//! Thumbnails and captions: one job however many ask, and what people add to a file beside what attempts publish.

use anyhow::{Context, Result};
use reelgate_common::{
    db::{AddedCaptions, AskedStill, Db, Fenced, FinishedStills, StillLimits},
    ids::{FileId, OrgId},
    job::{Fence, JobKind, JobState, THUMBNAIL_PRIORITY},
    rendition::{CaptionsDetails, Details, Piece, Rendition, RenditionKind, Role},
    still::{Still, StillFormat},
};

use super::{on_both, setup::*};

on_both!(
    many_who_ask_make_one_job_and_it_runs_again_for_more,
    a_job_is_not_done_while_something_is_wanted,
    an_organisation_has_a_share_of_thumbnails_and_no_more,
    thumbnails_change_neither_the_state_of_a_file_nor_its_progress,
    added_captions_belong_to_the_file_and_hide_those_it_brought,
);

const MANY: StillLimits = StillLimits { waiting: 100, stored: 100 };

fn still(second: u32) -> Still {
    Still { second, width: 320, format: StillFormat::Jpeg }
}

/// A processed file.
async fn ready(db: &Db, org: &OrgId) -> Result<(FileId, Fence)> {
    let (file, fence) = running(db, org).await?;
    db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
    db.finish_job(&fence).await?;
    Ok((file, fence))
}

/// Asks, and begins the job that this has queued.
async fn asked(db: &Db, org: &OrgId, file: FileId, still: Still) -> Result<Fence> {
    let AskedStill::Waiting { job: Some(job), .. } = db.ask_still(org, file, &still, MANY).await? else {
        anyhow::bail!("no job was queued")
    };
    assert_eq!(job.priority, THUMBNAIL_PRIORITY);
    Ok(begin(db, job.id).await?.fence)
}

async fn many_who_ask_make_one_job_and_it_runs_again_for_more(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (file, _) = ready(db, &acme).await?;
    let fence = asked(db, &acme, file, still(1)).await?;
    for second in [1, 2] {
        let again = db.ask_still(&acme, file, &still(second), MANY).await?;
        assert!(matches!(again, AskedStill::Waiting { job: None, .. }), "{again:?}");
    }
    assert_eq!(db.wanted_stills(&fence, 10).await?.len(), 2);
    for second in [1, 2] {
        assert_eq!(db.publish_still(&fence, &still(second), 7, "tag").await?, Fenced::Written);
    }
    assert_eq!(db.finish_stills(&fence).await?, FinishedStills::Done);
    let AskedStill::Made(made) = db.ask_still(&acme, file, &still(2), MANY).await? else { panic!("not made") };
    assert_eq!((made.still, made.attempt, made.size_bytes), (still(2), fence.attempt, 7));
    let next = asked(db, &acme, file, still(3)).await?;
    assert_eq!((next.job_id, next.attempt), (fence.job_id, fence.attempt + 1));
    assert_eq!(db.publish_still(&fence, &still(3), 7, "tag").await?, Fenced::Stale, "an attempt of before");
    assert_eq!(db.refuse_still(&next, &still(3), "no picture").await?, Fenced::Written);
    let known = db.find_still(&acme, file, 1, &still(3)).await?;
    assert_eq!(known, Some(AskedStill::Refused("no picture".to_owned())));
    assert_eq!(db.find_still(&org("globex"), file, 1, &still(2)).await?, None, "another organisation's");
    assert_eq!(db.ask_still(&org("globex"), file, &still(2), MANY).await?, AskedStill::NoSuchFile);
    Ok(())
}

async fn a_job_is_not_done_while_something_is_wanted(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (file, _) = ready(db, &acme).await?;
    let fence = asked(db, &acme, file, still(1)).await?;
    assert_eq!(db.finish_stills(&fence).await?, FinishedStills::More);
    db.publish_still(&fence, &still(1), 7, "tag").await?;
    assert_eq!(db.finish_stills(&fence).await?, FinishedStills::Done);
    assert_eq!(db.finish_stills(&fence).await?, FinishedStills::Done, "asked again");
    Ok(())
}

async fn an_organisation_has_a_share_of_thumbnails_and_no_more(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (file, _) = ready(db, &acme).await?;
    let few = StillLimits { waiting: 2, stored: 2 };
    let fence = asked(db, &acme, file, still(1)).await?;
    db.ask_still(&acme, file, &still(2), few).await?;
    assert_eq!(db.ask_still(&acme, file, &still(3), few).await?, AskedStill::TooMany);
    let (other, _) = ready(db, &org("globex")).await?;
    assert!(matches!(db.ask_still(&org("globex"), other, &still(3), few).await?, AskedStill::Waiting { .. }));
    for second in [1, 2] {
        db.publish_still(&fence, &still(second), 7, "tag").await?;
    }
    let AskedStill::Waiting { evicted, .. } = db.ask_still(&acme, file, &still(3), few).await? else {
        panic!("not asked for")
    };
    assert_eq!(evicted.len(), 1);
    assert!(db.made_stills(&acme, file).await?.len() == 1 && db.find_still(&acme, file, 1, &still(3)).await?.is_none());
    Ok(())
}

async fn thumbnails_change_neither_the_state_of_a_file_nor_its_progress(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (id, _) = ready(db, &acme).await?;
    let before = file(db, &acme, id).await?;
    let fence = asked(db, &acme, id, still(1)).await?;
    let during = file(db, &acme, id).await?;
    assert_eq!((during.state, during.progress), (before.state, 1.0));
    for _ in 0..3 {
        db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.0).await?;
    }
    let after = file(db, &acme, id).await?;
    assert_eq!((after.state, after.failure, after.progress), (before.state, None, 1.0));
    let jobs = db.jobs_of(&acme, id).await?;
    let dead = jobs.iter().find(|job| job.kind == JobKind::Thumbnail).context("no thumbnail job")?;
    assert_eq!(dead.state, JobState::Dead);
    // Whoever asks again gets another run.
    assert_eq!(asked(db, &acme, id, still(1)).await?.attempt, fence.attempt + 1);
    Ok(())
}

fn captions(file: FileId, object: &str) -> Rendition {
    let fence = Fence { job_id: reelgate_common::ids::JobId::new(), file_id: file, generation: 1, attempt: 0 };
    let details =
        CaptionsDetails { language: "en".to_owned(), label: Some("English".to_owned()), default: true, added: true };
    Rendition {
        layout: vec![Piece { object: Role::Captions(object.to_owned()), offset: 0, length: 7 }],
        details: Some(Details::Captions(details)),
        earned: false,
        used_at: None,
        ..rendition(&fence, "captions-en", RenditionKind::Captions)
    }
}

async fn added_captions_belong_to_the_file_and_hide_those_it_brought(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (file, fence) = running(db, &acme).await?;
    let brought = rendition(&fence, "captions-en", RenditionKind::Captions);
    let stored = db.put_captions(&acme, file, &captions(file, "en-1.vtt"), 1).await?;
    assert_eq!(stored, AddedCaptions::Stored { replaced: None });
    assert_eq!(db.publish(&fence, &brought).await?, Fenced::Written, "they are no obstacle");
    let AddedCaptions::Stored { replaced: Some(before) } =
        db.put_captions(&acme, file, &captions(file, "en-2.vtt"), 1).await?
    else {
        panic!("nothing was replaced")
    };
    assert_eq!(before.added().collect::<Vec<_>>(), ["en-1.vtt"]);
    let another = Rendition { name: "captions-de".to_owned(), ..captions(file, "de-1.vtt") };
    assert_eq!(db.put_captions(&acme, file, &another, 1).await?, AddedCaptions::TooMany);
    let shown = db.find_file(&acme, file).await?.context("no file")?.renditions;
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].generation, shown[0].added().next()), (1, Some("en-2.vtt")));
    assert_eq!(shown[0].captions().and_then(|details| details.label.as_deref()), Some("English"));
    for (who, gone) in [("globex", false), ("acme", true)] {
        assert_eq!(db.remove_captions(&org(who), file, "captions-en").await?.is_some(), gone, "{who}");
    }
    let shown = db.find_file(&acme, file).await?.context("no file")?.renditions;
    assert_eq!(shown[0].added().count(), 0, "those of the source are seen again");
    assert_eq!(db.put_captions(&org("globex"), file, &another, 1).await?, AddedCaptions::NoSuchFile);
    Ok(())
}
