//! A phone's picture (HEIC): an image like any other, kept and served as it is; one that claims to be a film fails as one.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::Upload,
    film::Film,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(120);
/// 64 by 48 pixels, made by libheif.
const HEIC: &[u8] = include_bytes!("../data/phone.heic");

crate::on_both_footings!(a_picture_of_a_phone_is_an_image_and_no_film, what_a_file_says_it_has_can_be_had_at_once);

async fn a_picture_of_a_phone_is_an_image_and_no_film(footing: Footing) -> Result<()> {
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

/// A gateway remembers rows for a while, and its own word about a file must not be ahead of what it serves.
async fn what_a_file_says_it_has_can_be_had_at_once(footing: Footing) -> Result<()> {
    let site = Site::start(footing).await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let folder = Folder::new("images")?;
    let film = Film { seconds: 4, width: 854, height: 480, bitrate: 1_000_000, faststart: true }.make(folder.path())?;
    let id = alice.upload_one(Upload::file("film.mp4", "video/mp4", &film)).await?;
    let mut refused = Vec::new();
    eventually("all of it is there", PATIENCE, async || {
        // Played meanwhile, so that the row is remembered.
        let played = alice.get(&format!("/v1/files/stream/{id}?rendition=source")).await;
        let looked = async {
            ensure!(played?.status == 200, "the source of a file that plays everywhere");
            let info = alice.info(&id).await?;
            for name in info["renditions"].as_array().context("no list")?.iter().filter_map(|it| it["name"].as_str()) {
                let address = match name {
                    "storyboard-1" => format!("/v1/files/{id}/storyboard.vtt"),
                    "poster" | "preview" => format!("/v1/files/{id}/{name}"),
                    name => format!("/v1/files/{id}?rendition={name}"),
                };
                let answer = alice.get(&address).await?;
                if answer.status != 200 {
                    refused.push(format!("{name}: {}", answer.status));
                }
            }
            anyhow::Ok(info["progress"] == 1.0)
        };
        looked.await.unwrap_or(false)
    })
    .await?;
    ensure!(refused.is_empty(), "said to be there, and refused: {refused:?}");
    Ok(())
}
