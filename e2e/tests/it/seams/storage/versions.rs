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
