//! Words in the browser: those that lie in the source and those that somebody adds, in a `<track>` beside the plain file and by
//! hls.js, each at its time and at no other.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use http::Method;
use reelgate_e2e::{
    browser::{Browser, Player, Stage},
    client::{Client, Upload},
    film::Film,
    process::{Folder, eventually},
    site::{Footing, Site},
};
use serde_json::json;

use super::alice;

const PATIENCE: Duration = Duration::from_secs(300);
/// Second, and what is read then: between and after the cues, nothing.
const OWN: [(f64, &str); 4] = [(1.5, "Hello & welcome"), (3.5, ""), (4.7, "Bye"), (6.0, "")];
const OTHER: [(f64, &str); 3] = [(1.5, "Bonjour"), (4.7, "Adieu"), (6.0, "")];
const SRT: &str = "1\n00:00:01,000 --> 00:00:03,000\n<i>Hello</i> & welcome\n\n2\n00:00:04,000 --> 00:00:05,500\nBye\n";
const ADDED: &str = "WEBVTT\n\n00:01.000 --> 00:03.000\nBonjour\n\n00:04.000 --> 00:05.500\nAdieu\n";

/// The film with words in it, as `codec` in the container that `name` says.
fn film(folder: &Folder, name: &str, codec: &str) -> Result<PathBuf> {
    let film = Film { seconds: 8, width: 640, height: 360, bitrate: 400_000, faststart: true }.make(folder.path())?;
    let (words, path) = (folder.path().join("words.srt"), folder.path().join(name));
    std::fs::write(&words, SRT)?;
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-i"])
        .arg(film)
        .arg("-i")
        .arg(words)
        .args(["-map", "0", "-map", "1", "-c", "copy", "-c:s", codec, "-metadata:s:s:0", "language=eng"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not put {codec} into {name}");
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_shows_words_of_mp4_and_added_ones_embedded() -> Result<()> {
    let folder = Folder::new("words")?;
    shows(Footing::Embedded, &film(&folder, "words.mp4", "mov_text")?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_shows_words_of_matroska_and_added_ones_in_production() -> Result<()> {
    let folder = Folder::new("words")?;
    shows(Footing::Production, &film(&folder, "words.mkv", "webvtt")?).await
}

async fn shows(footing: Footing, film: &Path) -> Result<()> {
    let site = Site::start(footing).await?;
    let client = alice(&site);
    let name = film.file_name().unwrap().to_string_lossy().into_owned();
    let id = client.upload_one(Upload::file(name, "application/octet-stream", film)).await?;
    let info = client.wait_settled(&id, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info:#}");
    let added = format!("/v1/files/{id}/captions?language=fr&label=Fran%C3%A7ais");
    client.send(Method::POST, &added, &[], ADDED).await?.expect(200)?;
    let browser = Browser::start().await?;
    beside_the_file(&browser, &client, &id).await.with_context(|| site.output())?;
    by_hls(&browser, &client, &id).await.with_context(|| site.output())
}

/// As a product's page has them: a `<track>` each.
async fn beside_the_file(browser: &Browser, client: &Client, id: &str) -> Result<()> {
    let token = client.stream_token(&json!({})).await?;
    let root = client.base();
    let stage = browser.play(Player::Native, &format!("{root}/v1/files/stream/{id}?token={token}")).await?;
    for language in ["eng", "fr"] {
        stage.track(&format!("{root}/v1/files/{id}/captions/{language}.vtt?token={token}"), language).await?;
    }
    are_read(&stage, "eng", &OWN).await?;
    are_read(&stage, "fr", &OTHER).await
}

async fn by_hls(browser: &Browser, client: &Client, id: &str) -> Result<()> {
    let token = client.stream_token(&json!({})).await?;
    let path = format!("/v1/files/stream/{id}/master.m3u8?token={token}");
    eventually("both are offered", PATIENCE, async || {
        let master = client.get(&path).await.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
        master.is_ok_and(|master| master.matches("TYPE=SUBTITLES").count() == 2)
    })
    .await?;
    let stage = browser.play(Player::HlsJs, &format!("{}{path}", client.base())).await?;
    let mut offered = stage.subtitles("eng").await?;
    offered.sort();
    let names: Vec<_> = offered.iter().map(|(language, name, _)| (language.as_str(), name.as_str())).collect();
    ensure!(names == [("eng", "eng"), ("fr", "Français")], "{offered:?}");
    are_read(&stage, "eng", &OWN).await?;
    stage.subtitles("fr").await?;
    are_read(&stage, "fr", &OTHER).await
}

async fn are_read(stage: &Stage, language: &str, texts: &[(f64, &str)]) -> Result<()> {
    for (time, text) in texts {
        let read = stage.words(*time, language).await?;
        let wanted: Vec<&str> = Some(*text).filter(|text| !text.is_empty()).into_iter().collect();
        ensure!(read == wanted, "at {time} in {language}: {read:?} instead of {wanted:?}");
    }
    Ok(())
}
