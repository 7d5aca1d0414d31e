//! Words in the browser: those that lie in the source and those that somebody adds, in a `<track>` beside the plain file and by
//! hls.js and Shaka, each at its time and at no other.

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
type Words = [(f64, &'static str)];
const ENGLISH: &Words = &[(1.5, "Hello & welcome"), (3.5, ""), (4.7, "Bye"), (6.0, "")];
const GERMAN: &Words = &[(1.5, "Hallo, ihr\nLieben"), (3.5, ""), (4.7, "Tschüss"), (6.0, "")];
const FRENCH: &Words = &[(1.5, "Bonjour"), (4.7, "Adieu"), (6.0, "")];
const SRT: &str = "1\n00:00:01,000 --> 00:00:03,000\n<i>Hello</i> & welcome\n\n2\n00:00:04,000 --> 00:00:05,500\nBye\n";
const ASS: &str = "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n[Events]\n\
    Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n\
    Dialogue: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,{\\i1}Hallo{\\i0}, ihr\\NLieben\n\
    Dialogue: 0,0:00:04.00,0:00:05.50,Default,,0,0,0,,Tschüss\n";
const ADDED: &str = "WEBVTT\n\n00:01.000 --> 00:03.000\nBonjour\n\n00:04.000 --> 00:05.500\nAdieu\n";

/// A track of text: its document, the codec it becomes, and the language as the source names it.
type Text = (&'static str, &'static str, &'static str);

/// The film with words in it, in the container that `name` says.
fn film(folder: &Folder, name: &str, texts: &[Text]) -> Result<PathBuf> {
    let film = Film { seconds: 8, width: 640, height: 360, bitrate: 400_000, faststart: true }.make(folder.path())?;
    let path = folder.path().join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(film);
    let mut outputs = vec!["-map".to_owned(), "0".to_owned(), "-c".to_owned(), "copy".to_owned()];
    for (number, (document, codec, language)) in texts.iter().enumerate() {
        let extension = if document.starts_with('[') { "ass" } else { "srt" };
        let words = folder.path().join(format!("{number}.{extension}"));
        std::fs::write(&words, document)?;
        command.arg("-i").arg(words);
        outputs.extend(["-map".to_owned(), (number + 1).to_string()]);
        outputs.extend([format!("-c:s:{number}"), (*codec).to_owned()]);
        outputs.extend([format!("-metadata:s:s:{number}"), format!("language={language}")]);
    }
    let status = command.args(outputs).arg(&path).status()?;
    ensure!(status.success(), "ffmpeg could not make {name}");
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_shows_words_of_mp4_and_added_ones_embedded() -> Result<()> {
    let folder = Folder::new("words")?;
    let film = film(&folder, "words.mp4", &[(SRT, "mov_text", "eng")])?;
    shows(Footing::Embedded, &film, &[("en", "en", ENGLISH), ("fr", "Français", FRENCH)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_shows_words_of_matroska_and_added_ones_in_production() -> Result<()> {
    let folder = Folder::new("words")?;
    let film = film(&folder, "words.mkv", &[(SRT, "srt", "eng"), (ASS, "ass", "ger")])?;
    shows(Footing::Production, &film, &[("de", "de", GERMAN), ("en", "en", ENGLISH), ("fr", "Français", FRENCH)]).await
}

/// Tag, name and words of what is offered, in the order of the tags.
type Offered<'a> = [(&'a str, &'a str, &'static Words)];

async fn shows(footing: Footing, film: &Path, offered: &Offered<'_>) -> Result<()> {
    let site = Site::start(footing).await?;
    let client = alice(&site);
    let name = film.file_name().unwrap().to_string_lossy().into_owned();
    let id = client.upload_one(Upload::file(name, "application/octet-stream", film)).await?;
    let info = client.wait_settled(&id, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info:#}");
    let added = format!("/v1/files/{id}/captions?language=fra&label=Fran%C3%A7ais");
    client.send(Method::POST, &added, &[], ADDED).await?.expect(200)?;
    let browser = Browser::start().await?;
    beside_the_file(&browser, &client, &id, offered).await.with_context(|| site.output())?;
    for (player, document) in
        [(Player::HlsJs, "master.m3u8"), (Player::Shaka, "master.m3u8"), (Player::Shaka, "manifest.mpd")]
    {
        let what = || format!("{player:?} with {document}\n{}", site.output());
        by_player(&browser, &client, &id, (player, document), offered).await.with_context(what)?;
    }
    Ok(())
}

/// As a product's page has them: a `<track>` each.
async fn beside_the_file(browser: &Browser, client: &Client, id: &str, offered: &Offered<'_>) -> Result<()> {
    let token = client.stream_token(&json!({})).await?;
    let root = client.base();
    let stage = browser.play(Player::Native, &format!("{root}/v1/files/stream/{id}?token={token}")).await?;
    for (language, ..) in offered {
        stage.track(&format!("{root}/v1/files/{id}/captions/{language}.vtt?token={token}"), language).await?;
    }
    for (language, _, words) in offered {
        are_read(&stage, language, words).await?;
    }
    Ok(())
}

async fn by_player(
    browser: &Browser,
    client: &Client,
    id: &str,
    (player, document): (Player, &str),
    offered: &Offered<'_>,
) -> Result<()> {
    let token = client.stream_token(&json!({})).await?;
    let path = |document: &str| format!("/v1/files/stream/{id}/{document}?token={token}");
    eventually("all are offered", PATIENCE, async || {
        let master = client.get(&path("master.m3u8")).await;
        let master = master.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
        master.is_ok_and(|master| master.matches("TYPE=SUBTITLES").count() == offered.len())
    })
    .await?;
    let stage = browser.play(player, &format!("{}{}", client.base(), path(document))).await?;
    for (language, _, words) in offered {
        let mut listed = stage.subtitles(language).await?;
        listed.sort();
        let listed: Vec<_> = listed.iter().map(|(language, name)| (language.as_str(), name.as_str())).collect();
        let named: Vec<_> = offered.iter().map(|(tag, name, _)| (*tag, *name)).collect();
        ensure!(listed == named, "{listed:?}");
        are_read(&stage, language, words).await?;
    }
    Ok(())
}

async fn are_read(stage: &Stage, language: &str, texts: &Words) -> Result<()> {
    for (time, text) in texts {
        let read = stage.words(*time, language).await?;
        let wanted: Vec<&str> = Some(*text).filter(|text| !text.is_empty()).into_iter().collect();
        ensure!(read == wanted, "at {time} in {language}: {read:?} instead of {wanted:?}");
    }
    Ok(())
}
