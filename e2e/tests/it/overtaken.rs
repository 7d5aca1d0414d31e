//! Requests that a deletion overtakes: the gateway still remembers the row, and the object is gone. That is a 404 like any other, while an object
//! that is missing though its row stands is a fault, is told as one and stays in the log.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Method;
use reelgate_common::ids::{FileId, OrgId};
use reelgate_e2e::{
    client::{Client, Upload},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};

const ORG: &str = "acme";
const PATIENCE: Duration = Duration::from_secs(120);
/// An image, sheets of a storyboard, and bytes of a rendition.
const OUTPUTS: [&str; 3] = ["poster", "storyboard-1.jpg", "preview"];

async fn whole_clip(client: &Client) -> Result<FileId> {
    let folder = Folder::new("overtaken")?;
    let id = client.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    client.wait_settled(&id, PATIENCE).await?;
    Ok(id.parse()?)
}

/// The outputs that there are; the gateway remembers the file's row from here on.
async fn outputs(client: &Client, file: FileId) -> Result<Vec<String>> {
    let mut there = Vec::new();
    for name in OUTPUTS {
        let path = format!("/v1/files/{file}/{name}");
        if client.send(Method::HEAD, &path, &[], "").await?.status == 200 {
            there.push(path);
        }
    }
    ensure!(there.iter().any(|path| path.ends_with("/poster")), "{there:?}");
    Ok(there)
}

async fn what_is_deleted_while_it_is_asked_for_is_not_found(footing: Footing) -> Result<()> {
    let site = Site::start(footing).await?;
    let alice = site.client().signed_in(SignIn::member("alice", ORG).jwt());
    let file = whole_clip(&alice).await?;
    let db = site.database().await?;
    let outputs = outputs(&alice, file).await?;
    // Through another process: this gateway is not told.
    ensure!(db.delete_file(&OrgId::new(ORG), file).await?, "no such file");
    let prefix = format!("media/{ORG}/{file}/");
    eventually("the objects are gone", PATIENCE, async || site.stored(&prefix).await.is_ok_and(|left| left.is_empty()))
        .await?;
    for path in outputs {
        let answer = alice.get(&path).await?;
        ensure!(
            answer.status == 404 && answer.code() == "file_not_found",
            "{path}: {} {}",
            answer.status,
            answer.code()
        );
    }
    ensure!(!site.output().contains("a published object is missing"), "{}", site.output());
    Ok(())
}

async fn an_object_that_is_missing_though_its_row_stands_is_a_fault(footing: Footing) -> Result<()> {
    let site = Site::start(footing).await?;
    let alice = site.client().signed_in(SignIn::member("alice", ORG).jwt());
    let file = whole_clip(&alice).await?;
    let found = site.database().await?.find_file(&OrgId::new(ORG), file).await?.context("no file")?;
    let poster = found.renditions.iter().find(|rendition| rendition.name == "poster").context("no poster")?;
    let key = poster.keys(&OrgId::new(ORG)).next().context("no object")?;
    site.storage()?.delete(&key).await?;
    let answer = alice.get(&format!("/v1/files/{file}/poster")).await?;
    ensure!(answer.status == 500 && answer.code() == "internal", "{} {}", answer.status, answer.code());
    ensure!(site.output().contains("a published object is missing"), "{}", site.output());
    Ok(())
}

macro_rules! on_both_footings {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test(super::Footing::Embedded).await
            })+
        }
        mod production {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test(super::Footing::Production).await
            })+
        }
    };
}

on_both_footings!(
    what_is_deleted_while_it_is_asked_for_is_not_found,
    an_object_that_is_missing_though_its_row_stands_is_a_fault,
);
