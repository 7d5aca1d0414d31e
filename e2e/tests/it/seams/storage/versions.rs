//! A bucket that keeps versions, where a delete only hides.

use std::time::Duration;

use anyhow::{Context, Result};
use reelgate_common::storage::Storage;
use reelgate_e2e::{
    client::Upload,
    process::{Folder, eventually},
    services::{Bucket, Moto},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use serde_json::Value;

use super::{body, garage, staging, through, whole};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_a_delete_hides_is_listed_and_deleted_before_its_mark() -> Result<()> {
    let moto = Moto::start().await?;
    let storage = through(&moto.bucket(), |_| ())?;
    let (replaced, deleted) = (staging(), staging());
    storage.put(&replaced, body(10)).await?;
    storage.put(&replaced, body(20)).await?;
    storage.put(&deleted, body(30)).await?;
    storage.delete(&deleted).await?;
    let old = storage.list_old_versions("staging/", 100).await?;
    let sizes = |key| old.iter().filter(|it| it.key == key).map(|it| it.size).collect::<Vec<_>>();
    assert_eq!(sizes(replaced.clone()), [10]);
    assert_eq!(sizes(deleted.clone()), [30, 0], "the mark comes last");

    // A mark that went first would bring back what it hides.
    for version in &old {
        storage.delete_version(&version.key, &version.id).await?;
        assert!(storage.head(&deleted).await.is_err());
    }
    assert_eq!(storage.list_old_versions("staging/", 100).await?, []);
    assert_eq!(whole(&storage, &replaced).await?, body(20), "the current version stays");
    Ok(())
}

#[tokio::test]
async fn a_bucket_without_versions_has_no_old_ones() -> Result<()> {
    let storage = garage().await?;
    let key = staging();
    storage.put(&key, body(10)).await?;
    storage.put(&key, body(20)).await?;
    storage.delete(&key).await?;
    assert_eq!(storage.list_old_versions("staging/", 100).await?, []);
    Ok(())
}

/// Everything the bucket holds but the mark of the deployment, hidden or not.
async fn held(bucket: &Bucket) -> Result<usize> {
    let storage = through(bucket, |_| ())?;
    let mut held = 0;
    for prefix in ["staging/", "media/"] {
        held += storage.list_old_versions(prefix, 1_000).await?.len();
        held += futures_util::TryStreamExt::try_collect::<Vec<_>>(storage.list(prefix)).await?.len();
    }
    Ok(held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_leaves_no_version_behind() -> Result<()> {
    let moto = Moto::start().await?;
    let bucket = moto.bucket();
    let mut builder = Site::builder(Footing::Production);
    for (key, value) in bucket.environment() {
        builder = builder.env(key, value);
    }
    let site = builder.start().await?;
    let folder = Folder::new("versions")?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let file = alice.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    alice.wait_settled(&file, PATIENCE).await.with_context(|| site.output())?;
    assert!(held(&bucket).await? > 1, "its objects, and what promotion has hidden");
    alice.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    eventually("nothing is held any more", PATIENCE, async || held(&bucket).await.is_ok_and(|held| held == 0))
        .await
        .with_context(|| site.output())
}

/// `reelgate reconcile --json`: its findings of old versions.
fn old_versions(site: &Site, arguments: &[&str]) -> Result<Vec<Value>> {
    let (_, output) = site.command(&[&["reconcile", "--json"], arguments].concat())?;
    let json = output.find("{\n").context(output.clone())?;
    let report: Value = serde_json::from_str(&output[json..])?;
    let findings = report["findings"].as_array().context("findings")?.clone();
    Ok(findings.into_iter().filter(|finding| finding["what"] == "old_version").collect())
}

/// Promotion deletes what lies in staging, which only hides it; nobody deletes the file.
#[tokio::test(flavor = "multi_thread")]
async fn what_promotion_has_hidden_is_told_in_a_dry_run_and_deleted_by_the_reconciler() -> Result<()> {
    let moto = Moto::start().await?;
    let bucket = moto.bucket();
    let environment = bucket.environment().into_iter();
    let site = environment.fold(Site::builder(Footing::Production), |builder, (key, value)| builder.env(key, value));
    let (mut site, folder) = (site.start().await?, Folder::new("versions")?);
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let clip = web_safe_clip(&folder)?;
    let file = alice.upload_one(Upload::file("clip.mp4", "video/mp4", &clip)).await?;
    alice.wait_settled(&file, PATIENCE).await.with_context(|| site.output())?;
    let storage = through(&bucket, |_| ())?;
    let hidden = async || storage.list_old_versions("staging/", 100).await;
    eventually("it is promoted", PATIENCE, async || hidden().await.is_ok_and(|old| old.len() == 2)).await?;
    // For the command alone: the gateway reconciles when it begins to lead, and would be first on a slow machine.
    site.set_env("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0");

    let told = old_versions(&site, &["--dry-run"])?;
    assert_eq!(told.len(), 2, "the object and the mark: {told:?}");
    assert_eq!(hidden().await?.len(), 2, "a dry run deletes nothing");
    assert_eq!(old_versions(&site, &[])?.len(), 2);
    assert_eq!(hidden().await?, []);
    assert_eq!(old_versions(&site, &["--dry-run"])?, [] as [Value; 0]);
    let source = alice.get(&format!("/v1/files/{file}")).await?.expect(200)?;
    assert_eq!(source.body, std::fs::read(&clip)?, "what is current stays");
    Ok(())
}
