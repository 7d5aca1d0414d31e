//! The film as one file, played by the browser itself.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    browser::{Browser, Player},
    film::{Film, RATE},
    process::Folder,
    site::{Footing, Site},
};
use serde_json::json;

use super::{alice, all_was_well, uploaded, watch};

async fn plays_a_file(footing: Footing, film: Film) -> Result<()> {
    let folder = Folder::new("browser")?;
    let path = film.make(folder.path())?;
    let site = Site::start(footing).await?;
    let client = alice(&site);
    let id = uploaded(&client, &path).await?;
    let token = client.stream_token(&json!({})).await?;
    let url = format!("{}/v1/files/stream/{id}?token={token}", client.base());
    let browser = Browser::start().await?;
    let stage = browser.play(Player::Native, &url).await.with_context(|| site.output())?;
    watch(&stage).await.with_context(|| site.output())?;
    all_was_well(&stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_plays_a_file_and_jumps_about_in_it_embedded() -> Result<()> {
    plays_a_file(Footing::Embedded, Film::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_plays_a_file_with_its_index_at_the_end_in_production() -> Result<()> {
    plays_a_file(Footing::Production, Film { faststart: false, ..Film::default() }).await
}

/// Real files of every kind that is served as it is: the index at the end, QuickTime, rotated, with edits, pixels that are not
/// square.
const REAL: [&str; 5] =
    ["moov_at_end_480p_10s.mp4", "film_earth_720p_30s.mov", "iphone_ios9_rot90.mov", "edts.mp4", "sar_2x1.mp4"];

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_plays_real_files_as_they_are() -> Result<()> {
    let Some(corpus) = std::env::var_os("REELGATE_CORPUS").map(PathBuf::from) else {
        println!("REELGATE_CORPUS is not set: real files are not played in the browser");
        return Ok(());
    };
    let site = Site::start(Footing::Embedded).await?;
    let client = alice(&site);
    let browser = Browser::start().await?;
    for name in REAL {
        let id = uploaded(&client, &corpus.join(name)).await?;
        let token = client.stream_token(&json!({})).await?;
        let url = format!("{}/v1/files/stream/{id}?token={token}", client.base());
        let stage = browser.play(Player::Native, &url).await.context(name)?;
        stage.play_to(1.0).await.context(name)?;
        let duration = stage.report().await?.duration;
        for part in [0.7, 0.1, 0.4] {
            stage.seek(duration * part).await.context(name)?;
        }
        stage.seek(duration * 0.9).await.context(name)?;
        stage.play_to_end().await.context(name)?;
        stage.look_again().await.context(name)?;
        let report = stage.report().await?.without_numbers();
        let complaints = report.complaints(f64::from(RATE));
        ensure!(complaints.is_empty() && report.ended, "{name}: {complaints:#?}\n{report:?}\n{}", stage.page.log());
    }
    Ok(())
}
