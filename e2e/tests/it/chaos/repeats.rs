//! One upload that is sent many times at once, and once more later: fault 34 of docs/faults.md.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use reelgate_common::{
    db::FileFilter,
    ids::{FileId, OrgId},
};
use reelgate_e2e::{
    client::{Client, Upload, id_of},
    generated::generated,
    process::eventually,
    sign_in::SignIn,
    site::{Footing, Site},
};

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
const ORG: &str = "acme";

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_is_one_file_and_one_job_embedded() -> Result<()> {
    one_key_is_one_file(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_is_one_file_and_one_job_in_production() -> Result<()> {
    one_key_is_one_file(Footing::Production).await
}

async fn one_key_is_one_file(footing: Footing) -> Result<()> {
    let site = Site::builder(footing).gateways(2).start().await?;
    let member = |name: &str, at: usize| site.gateways[at].client().signed_in(SignIn::member(name, ORG).jwt());
    let film = |mib: usize| Upload::bytes("film.mkv", "video/x-matroska", generated(0, mib * MIB));
    let gateways = site.gateways.len();
    let at_once = (0..6).map(|n| {
        let client = member("alice", n % gateways).repeating("the first film");
        async move { client.upload_one(film(7)).await }
    });
    let files = try_join_all(at_once).await?;
    assert!(files.iter().all(|file| *file == files[0]), "{files:?}");
    let alice = member("alice", 0).repeating("the first film");
    assert_eq!(alice.upload_one(film(7)).await?, files[0], "and later, too");

    let (db, org) = (site.database().await?, OrgId::new(ORG));
    assert_eq!(db.jobs_of(&org, files[0].parse::<FileId>()?).await?.len(), 1);
    let all = FileFilter { limit: 10, ..FileFilter::default() };
    assert_eq!(db.list_files(&org, &all).await?.len(), 1);

    let answer = alice.post_files("/v1/files", vec![film(6)]).await?.expect(422)?;
    assert_eq!(answer.code(), "idempotency_key_reused");
    let two = alice.upload(vec![film(7), film(1)]).await?;
    assert_eq!(id_of(&two[0])?, files[0], "each file of a request is one of its own");
    assert_ne!(id_of(&two[1])?, files[0]);
    let bob = member("bob", 0).repeating("the first film");
    assert_ne!(bob.upload_one(film(7)).await?, files[0], "a key belongs to its person");
    gone_and_free_again(&alice, &files[0], film(1)).await
}

/// A key goes with its file.
async fn gone_and_free_again(alice: &Client, file: &str, other: Upload) -> Result<()> {
    alice.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    let mut answer = None;
    eventually("the key is free", PATIENCE, async || {
        answer = alice.upload_one(other.clone()).await.ok();
        answer.is_some()
    })
    .await?;
    assert_ne!(answer.as_deref(), Some(file));
    Ok(())
}
