//! A phone's picture (HEIC): an image like any other, kept and served as it is; one that claims to be a film fails as one.

use std::time::Duration;

use anyhow::{Result, ensure};
use reelgate_e2e::{
    client::Upload,
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(120);
/// 64 by 48 pixels, made by libheif.
const HEIC: &[u8] = include_bytes!("../data/phone.heic");

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_phone_is_an_image_and_no_film_embedded() -> Result<()> {
    pictures(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_phone_is_an_image_and_no_film_production() -> Result<()> {
    pictures(Footing::Production).await
}

async fn pictures(footing: Footing) -> Result<()> {
    let site = Site::start(footing).await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let id = alice.upload_one(Upload::bytes("IMG_0001.HEIC", "image/heic", HEIC)).await?;
    let info = alice.wait_settled(&id, PATIENCE).await?;
    ensure!(info["state"] == "ready" && info["kind"] == "image" && info["content_type"] == "image/heic", "{info:#}");
    let token = alice.stream_token(&json!({})).await?;
    let shown = site.client().get(&format!("/v1/files/stream/{id}?token={token}")).await?.expect(200)?;
    ensure!(shown.body == HEIC && shown.headers["content-type"] == "image/heic", "{:?}", shown.headers);
    ensure!(shown.headers["content-disposition"].to_str()?.starts_with("inline"), "{:?}", shown.headers);

    let film = alice.upload_one(Upload::bytes("IMG_0002.mp4", "video/mp4", HEIC)).await?;
    let info = alice.wait_settled(&film, PATIENCE).await?;
    ensure!(info["state"] == "failed" && info["failure"]["code"] == "not_media", "{info:#}");
    ensure!(info["failure"]["retryable"] == false, "{info:#}");
    let token = alice.stream_token(&json!({})).await?;
    let refused = alice.get(&format!("/v1/files/stream/{film}?token={token}")).await?.expect(409)?.json()?;
    ensure!(refused["code"] == "not_media", "{refused:#}");
    Ok(())
}
