//! What a person sees: a real browser opens Reelgate's own page and plays films from it, the way that products will.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    browser::{Browser, Player, Stage},
    client::{Client, Upload},
    film::{Film, RATE},
    process::Folder,
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::json;

/// Forth and back, on key frames and between them, in seconds; the films are longer.
const PLACES: [f64; 10] = [12.0, 3.3, 21.7, 8.05, 16.0, 0.5, 19.9, 5.55, 14.2, 10.0];

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", "acme").jwt())
}

async fn uploaded(client: &Client, film: &Path) -> Result<String> {
    let id = client.upload_one(Upload::file("film.mp4", "video/mp4", film)).await?;
    client.wait_ready(&id).await?;
    Ok(id)
}

/// Some of the beginning, ten places, and the end.
async fn watch(stage: &Stage) -> Result<()> {
    stage.play_to(4.0).await?;
    for place in PLACES {
        stage.seek(place).await?;
    }
    stage.seek(20.5).await?;
    stage.play_to_end().await
}

/// Nothing to complain of, and that much was looked at.
async fn all_was_well(stage: &Stage) -> Result<()> {
    let report = stage.report().await?;
    let complaints = report.complaints(f64::from(RATE));
    ensure!(complaints.is_empty(), "{complaints:#?}\n{report:?}\n{}", stage.page.log());
    ensure!(report.ended && report.pictures.len() >= 11 && report.seeks.len() == 11, "too little was seen: {report:?}");
    Ok(())
}

// ---- the film as one file ----

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

// ---- the built-in page ----

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_demo_uploads_lists_plays_and_deletes() -> Result<()> {
    let folder = Folder::new("browser")?;
    let path = Film { seconds: 6, ..Film::default() }.make(folder.path())?;
    let site = Site::builder(Footing::Embedded).demo().start().await?;
    let address = site.demo_address()?;
    let browser = Browser::start().await?;
    let page = browser.page(&address).await?;
    page.until("!document.getElementById('nothing').hidden").await.context("it says that there are no files")?;
    ensure!(page.evaluate("location.hash").await? == "", "the sign-in stays in the address bar");

    page.choose_file("#files", &path).await?;
    let play = "document.querySelector('button[data-key^=play-]')";
    page.until(&format!("{play}?.disabled === false")).await.context("the file can be played")?;
    let name = page.evaluate("document.querySelector('#list td').textContent").await?;
    ensure!(path.file_name().unwrap().to_str() == name.as_str(), "listed as {name}");

    page.evaluate(&format!("{play}.click()")).await?;
    let video = "document.getElementById('video')";
    page.until(&format!("{video}.currentTime > 1")).await.context("it plays")?;
    page.until(&format!("{video}.ended")).await.context("it plays to its end")?;
    page.until(&format!("{video}.getVideoPlaybackQuality().totalVideoFrames > 100")).await?;

    page.evaluate("document.getElementById('close').click()").await?;
    page.evaluate("setTimeout(() => document.querySelector('button[data-key^=del-]').click(), 0)").await?;
    page.confirm().await?;
    page.until("!document.getElementById('nothing').hidden").await.context("it is gone from the list")?;
    ensure!(page.complaints().is_empty(), "{}", page.log());
    Ok(())
}
