//! Database and store that differ: what is found, mended, told and left alone. By hand (`reelgate reconcile`) and by the
//! gateway that leads, on both footings.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reelgate_common::{
    ids::{FileId, OrgId},
    job::JobState,
    key::Key,
};
use reelgate_e2e::{
    client::{Client, Upload},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use serde_json::Value;

const ORG: &str = "acme";
const PATIENCE: Duration = Duration::from_secs(120);

/// Nothing is too young to be judged, and the gateway's own turns are far away.
async fn by_hand(footing: Footing) -> Result<Site> {
    let site = Site::builder(footing).env("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0");
    site.env("REELGATE__MAINTENANCE__RECONCILE_MS", "3600000").start().await
}

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", ORG).jwt())
}

async fn ready_clip(site: &Site) -> Result<FileId> {
    let folder = Folder::new("reconcile")?;
    let alice = alice(site);
    let id = alice.upload_one(Upload::file("clip.mp4", "video/mp4", &web_safe_clip(&folder)?)).await?;
    // Whole: what is made beside the rungs still comes after `ready`.
    alice.wait_settled(&id, PATIENCE).await.with_context(|| site.output())?;
    settled(site, id.parse()?).await
}

struct Turn {
    succeeded: bool,
    report: Value,
}

impl Turn {
    fn run(site: &Site, arguments: &[&str]) -> Result<Self> {
        let (succeeded, output) = site.command(&[&["reconcile", "--json"], arguments].concat())?;
        let json = output.find("{\n").context(output.clone())?;
        Ok(Self { succeeded, report: serde_json::from_str(&output[json..]).with_context(|| output.clone())? })
    }

    /// "what: remedy, subject" of each finding, sorted.
    fn findings(&self) -> Vec<String> {
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = self.report["findings"].as_array().unwrap().iter();
        let line = |it: &Value| format!("{}: {}, {}", text(it, "what"), text(it, "remedy"), text(it, "subject"));
        let mut all: Vec<String> = findings.map(line).collect();
        all.sort_unstable();
        all
    }
}

/// Its job has ended and its source is promoted: nothing of it moves any more.
async fn settled(site: &Site, file: FileId) -> Result<FileId> {
    let (db, org) = (site.database().await?, OrgId::new(ORG));
    let source = Key::Source { org: org.clone(), file };
    let storage = site.storage()?;
    eventually("the job is done", PATIENCE, async || {
        db.jobs_of(&org, file).await.is_ok_and(|jobs| jobs.iter().all(|job| job.state == JobState::Done))
            && storage.head(&source).await.is_ok()
            && site.stored("staging/").await.is_ok_and(|staged| staged.is_empty())
    })
    .await
    .with_context(|| site.output())?;
    Ok(file)
}

/// An object that the best rendition is made of.
async fn output_of(site: &Site, file: FileId) -> Result<Key> {
    let found = site.database().await?.find_file(&OrgId::new(ORG), file).await?.context("no file")?;
    let made = found.renditions.iter().find(|it| it.is_playable() && it.outputs().next().is_some());
    let made = made.with_context(|| format!("nothing made: {:?}", found.renditions))?;
    let name = made.outputs().next().unwrap().to_owned();
    Ok(Key::Output { org: OrgId::new(ORG), file, generation: made.generation, attempt: made.attempt, name })
}

async fn what_differs_is_told_in_a_dry_run_and_mended_without_one(footing: Footing) -> Result<()> {
    let site = by_hand(footing).await?;
    let file = ready_clip(&site).await?;
    let calm = Turn::run(&site, &[])?;
    ensure!(calm.succeeded && calm.findings().is_empty(), "{}\n{}", calm.report, site.output());

    let (storage, gone) = (site.storage()?, output_of(&site, file).await?);
    storage.delete(&gone).await?;
    let leftover = Key::Output { org: OrgId::new(ORG), file, generation: 1, attempt: 1, name: "old.mp4".to_owned() };
    storage.put(&leftover, Bytes::from_static(b"left")).await?;
    let before = site.stored("").await?;
    let wanted = [format!("leftover: deleted, {leftover}"), format!("missing_object: queued, {gone}")];
    let dry = Turn::run(&site, &["--dry-run"])?;
    assert_eq!(dry.findings(), wanted);
    assert_eq!(site.stored("").await?, before, "a dry run changes nothing");

    assert_eq!(Turn::run(&site, &[])?.findings(), wanted);
    let alice = alice(&site);
    eventually("it is made again", PATIENCE, async || {
        output_of(&site, file).await.is_ok_and(|again| again != gone) || storage.head(&gone).await.is_ok()
    })
    .await
    .with_context(|| site.output())?;
    alice.wait_ready(&file.to_string()).await?;
    eventually("database and store agree", PATIENCE, async || {
        Turn::run(&site, &["--dry-run"]).is_ok_and(|turn| turn.succeeded && turn.findings().is_empty())
    })
    .await
}

async fn a_missing_source_is_told_and_nothing_is_thrown_away(footing: Footing) -> Result<()> {
    let site = by_hand(footing).await?;
    let file = ready_clip(&site).await?;
    let source = Key::Source { org: OrgId::new(ORG), file };
    let storage = site.storage()?;
    storage.delete(&source).await?;
    let made = output_of(&site, file).await?;
    storage.delete(&made).await?;
    let told = Turn::run(&site, &[])?;
    let mut wanted = [&source, &made].map(|key| format!("missing_object: reported, {key}"));
    wanted.sort_unstable();
    assert_eq!(told.findings(), wanted);
    assert!(output_of(&site, file).await.is_ok(), "its row stands: the store may come back");
    Ok(())
}

/// A backup of the database is older than the store: the files that came after it are unknown, and must not be deleted.
async fn a_restored_backup_does_not_erase_the_store(footing: Footing) -> Result<()> {
    let site = by_hand(footing).await?;
    ready_clip(&site).await?;
    let storage = site.storage()?;
    for _ in 0..20 {
        let key = Key::Source { org: OrgId::new(ORG), file: FileId::new() };
        storage.put(&key, Bytes::from_static(b"after the backup")).await?;
    }
    let before = site.stored("").await?.len();
    let stopped = Turn::run(&site, &[])?;
    assert!(!stopped.succeeded);
    assert!(stopped.report["stopped"].as_str().unwrap().contains("20 of them of unknown files"), "{}", stopped.report);
    assert_eq!(site.stored("").await?.len(), before);
    Ok(())
}

async fn the_gateway_that_leads_mends_by_itself(footing: Footing) -> Result<()> {
    let site = Site::builder(footing)
        .env("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0")
        .env("REELGATE__MAINTENANCE__RECONCILE_MS", "500");
    let site = site.start().await?;
    let file = ready_clip(&site).await?;
    let (storage, gone) = (site.storage()?, output_of(&site, file).await?);
    storage.delete(&gone).await?;
    eventually("it is made again", PATIENCE, async || match output_of(&site, file).await {
        Ok(again) => storage.head(&again).await.is_ok(),
        Err(_) => false,
    })
    .await
    .with_context(|| site.output())
}

crate::on_both_footings!(
    what_differs_is_told_in_a_dry_run_and_mended_without_one,
    a_missing_source_is_told_and_nothing_is_thrown_away,
    a_restored_backup_does_not_erase_the_store,
    the_gateway_that_leads_mends_by_itself,
);
