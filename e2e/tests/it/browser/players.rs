//! HLS and DASH, cut from the plain files while they are played: by the browser itself, by hls.js and by Shaka Player.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    browser::{Browser, Player, Stage},
    client::Upload,
    film::Film,
    process::Folder,
    site::{Footing, Site},
};
use serde_json::json;

use super::{alice, all_was_well, watch};

const HLS: &str = "master.m3u8";
const DASH: &str = "manifest.mpd";
/// The source, which is not encoded again, and the rungs below it.
const HEIGHTS: [u32; 3] = [720, 480, 360];

const FILM: Film = Film { seconds: 32, width: 1280, height: 720, bitrate: 2_500_000, faststart: false };

/// A site with a film in three qualities.
async fn site_with_film(footing: Footing) -> Result<(Site, String)> {
    let folder = Folder::new("browser")?;
    let path = FILM.make(folder.path())?;
    let site = Site::start(footing).await?;
    let client = alice(&site);
    let id = client.upload_one(Upload::file("film.mp4", "video/mp4", path)).await?;
    let info = client.wait_settled(&id, Duration::from_secs(300)).await?;
    ensure!(info["state"] == "ready", "{info}");
    Ok((site, id))
}

/// From the top down and up again, while the film goes on.
async fn through_the_qualities(stage: &Stage) -> Result<()> {
    stage.play_to(1.0).await?;
    let offered = stage.heights().await?;
    ensure!(offered == HEIGHTS, "{offered:?}");
    for height in [HEIGHTS[2], HEIGHTS[0], HEIGHTS[1]] {
        stage.choose(height).await?;
    }
    Ok(())
}

async fn plays_on(footing: Footing, player: Player, document: &str) -> Result<()> {
    let (site, id) = site_with_film(footing).await?;
    let browser = Browser::start().await?;
    let client = alice(&site);
    let token = client.stream_token(&json!({})).await?;
    let url = format!("{}/v1/files/stream/{id}/{document}?token={token}", client.base());
    let stage = browser.play(player, &url).await.with_context(|| site.output())?;
    if player != Player::Native {
        through_the_qualities(&stage).await?;
    }
    watch(&stage).await?;
    all_was_well(&stage).await
}

/// It chooses its qualities by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_browser_itself_plays_hls_in_production() -> Result<()> {
    plays_on(Footing::Production, Player::Native, HLS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hls_js_plays_hls_through_all_qualities_embedded() -> Result<()> {
    plays_on(Footing::Embedded, Player::HlsJs, HLS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shaka_plays_hls_through_all_qualities_in_production() -> Result<()> {
    plays_on(Footing::Production, Player::Shaka, HLS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shaka_plays_dash_through_all_qualities_embedded() -> Result<()> {
    plays_on(Footing::Embedded, Player::Shaka, DASH).await
}
