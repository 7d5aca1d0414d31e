//! Many at once: workers, gateways, migrations.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::{join_all, try_join_all};
use reelgate_common::{
    db::{FileFilter, NotBegun},
    file::FileState,
    job::JobPolicy,
    rendition::RenditionKind,
};

use super::{on_both, setup::*};

on_both!(
    of_many_workers_one_begins,
    fifty_writers_get_their_turn,
    deleting_while_beginning_never_blocks_for_ever,
    of_many_candidates_one_holds_the_office,
);

async fn of_many_workers_one_begins(place: Place) -> Result<()> {
    let (db, second, acme) = (&place.db, place.another().await?, org("acme"));
    for _ in 0..5 {
        let (_, job) = waiting(db, &acme).await?;
        let runs = (0..8).map(|n| {
            let db = if n % 2 == 0 { db.clone() } else { second.clone() };
            tokio::spawn(async move { db.begin_attempt(job, &worker(&format!("w{n}")), &JobPolicy::default()).await })
        });
        let mut begun = 0;
        for run in join_all(runs).await {
            match run?? {
                Ok(attempt) => begun += attempt.fence.attempt,
                Err(why) => assert_eq!(why, NotBegun::Held),
            }
        }
        assert_eq!(begun, 1);
    }
    Ok(())
}

async fn fifty_writers_get_their_turn(place: Place) -> Result<()> {
    let (db, second, acme) = (&place.db, place.another().await?, org("acme"));
    let lives = (0..50).map(|n| {
        let (db, acme) = (if n % 2 == 0 { db.clone() } else { second.clone() }, acme.clone());
        tokio::spawn(async move {
            let (id, fence) = running(&db, &acme).await?;
            db.heartbeat_job(&fence, 0.5).await?;
            db.publish(&fence, &rendition(&fence, "720p", RenditionKind::Video)).await?;
            db.finish_job(&fence).await?;
            anyhow::ensure!(file(&db, &acme, id).await?.state == FileState::Ready);
            Ok(())
        })
    });
    for life in join_all(lives).await {
        life??;
    }
    let filter = FileFilter { states: vec![FileState::Ready], limit: 200, ..FileFilter::default() };
    assert_eq!(db.list_files(&acme, &filter).await?.len(), 50);
    Ok(())
}

async fn deleting_while_beginning_never_blocks_for_ever(place: Place) -> Result<()> {
    let (db, second, acme) = (&place.db, place.another().await?, org("acme"));
    for _ in 0..20 {
        let (id, job_id) = waiting(db, &acme).await?;
        let (first_worker, policy) = (worker("w1"), JobPolicy::default());
        let begun = second.begin_attempt(job_id, &first_worker, &policy);
        let (begun, deleted) = tokio::join!(begun, db.delete_file(&acme, id));
        assert!(deleted?);
        if let Ok(attempt) = begun? {
            let late = rendition(&attempt.fence, "720p", RenditionKind::Video);
            assert_eq!(db.publish(&attempt.fence, &late).await?, reelgate_common::db::Fenced::Stale);
        }
        assert!(db.find_file(&acme, id).await?.is_none());
    }
    Ok(())
}

async fn of_many_candidates_one_holds_the_office(place: Place) -> Result<()> {
    let second = place.another().await?;
    let term = Duration::from_secs(3_600);
    let candidates: Vec<_> = (0..10).map(|n| worker(&format!("g{n}"))).collect();
    let votes = candidates.iter().enumerate().map(|(n, holder)| {
        let db = if n % 2 == 0 { &place.db } else { &second };
        db.hold_office("dispatcher", holder, term)
    });
    let held = try_join_all(votes).await?;
    assert_eq!(held.into_iter().filter(|held| *held).count(), 1);
    Ok(())
}
