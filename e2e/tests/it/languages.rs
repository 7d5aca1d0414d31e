//! Films in several languages, over HTTP: HLS and DASH offer each under its name, one of them by default, and behind each name
//! is its own sound.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::{Client, Upload},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(300);
/// What is decoded to.
const RATE: usize = 8_000;

/// A language as the source names it, its shortest tag, and the tone that is spoken in it.
type Voice = (&'static str, &'static str, u32);

const MKV: [Voice; 3] = [("ger", "de", 330), ("eng", "en", 550), ("fra", "fr", 880)];
const MP4: [Voice; 2] = [("eng", "en", 440), ("spa", "es", 990)];

fn film(folder: &Folder, name: &str, voices: &[Voice], codecs: &[&str]) -> Result<PathBuf> {
    let path = folder.path().join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4"]);
    for (_, _, tone) in voices {
        command.args(["-f", "lavfi", "-i", &format!("sine=frequency={tone}:duration=4:sample_rate=48000")]);
    }
    command.args(["-map", "0:v"]);
    for (number, (language, ..)) in voices.iter().enumerate() {
        command.args(["-map", &format!("{}:a", number + 1)]);
        command.args([format!("-metadata:s:a:{number}"), format!("language={language}")]);
    }
    let status = command.args(codecs).arg(&path).status()?;
    ensure!(status.success(), "ffmpeg could not make {name}");
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_language_is_offered_and_speaks_with_its_own_voice_embedded() -> Result<()> {
    languages(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_language_is_offered_and_speaks_with_its_own_voice_in_production() -> Result<()> {
    languages(Footing::Production).await
}

async fn languages(footing: Footing) -> Result<()> {
    let (site, folder) = (Site::start(footing).await?, Folder::new("languages")?);
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    // The one is encoded whole, and of the other nothing.
    let encoded = film(&folder, "three.mkv", &MKV, &["-c:v", "mpeg4", "-c:a", "flac"])?;
    let safe =
        ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", "-ac", "2"];
    let served = film(&folder, "two.mp4", &MP4, &safe)?;
    for (path, voices) in [(&encoded, &MKV[..]), (&served, &MP4)] {
        plays_in_all(&alice, path, voices).await.with_context(|| format!("{}\n{}", path.display(), site.output()))?;
    }
    Ok(())
}

async fn plays_in_all(alice: &Client, film: &Path, voices: &[Voice]) -> Result<()> {
    let name = film.file_name().unwrap().to_string_lossy().into_owned();
    let id = alice.upload_one(Upload::file(name, "application/octet-stream", film)).await?;
    let info = alice.wait_settled(&id, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info:#}");
    let token = alice.stream_token(&json!({})).await?;
    let path = |name: &str| format!("/v1/files/stream/{id}/{name}?token={token}");
    hls_offers(&master(alice, &path("master.m3u8"), voices).await?, voices)?;
    let manifest = String::from_utf8(alice.get(&path("manifest.mpd")).await?.expect(200)?.body.to_vec())?;
    dash_offers(&manifest, voices)?;
    for document in ["master.m3u8", "manifest.mpd"] {
        for (_, language, tone) in voices {
            let (address, language) = (format!("{}{}", alice.base(), path(document)), *language);
            let heard = tokio::task::spawn_blocking(move || heard(&address, language)).await??;
            ensure!(heard.abs_diff(*tone) <= 5, "{document} in {language}: {heard} Hz instead of {tone}");
        }
    }
    Ok(())
}

/// Rows are remembered for two seconds: until the last rung is known.
async fn master(client: &Client, path: &str, voices: &[Voice]) -> Result<String> {
    let mut master = String::new();
    eventually("all languages are offered", PATIENCE, async || {
        let answer = client.get(path).await.and_then(|answer| answer.expect(200));
        master = answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).unwrap_or_default();
        master.matches("TYPE=AUDIO").count() == voices.len()
    })
    .await
    .with_context(|| master.clone())?;
    Ok(master)
}

fn hls_offers(master: &str, voices: &[Voice]) -> Result<()> {
    let lines: Vec<&str> = master.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:TYPE=AUDIO")).collect();
    for (line, (_, language, _)) in lines.iter().zip(voices) {
        ensure!(line.contains(&format!("LANGUAGE=\"{language}\"")), "{line}");
    }
    let defaults = lines.iter().filter(|line| line.contains("DEFAULT=YES")).count();
    ensure!(defaults == 1 && lines[0].contains("DEFAULT=YES"), "{master}");
    let variants = master.lines().filter(|line| line.starts_with("#EXT-X-STREAM-INF"));
    ensure!(variants.clone().count() > 0 && variants.clone().all(|line| line.contains("AUDIO=\"")), "{master}");
    Ok(())
}

fn dash_offers(manifest: &str, voices: &[Voice]) -> Result<()> {
    let sets: Vec<&str> =
        manifest.split("<AdaptationSet").filter(|set| set.contains("contentType=\"audio\"")).collect();
    ensure!(sets.len() == voices.len(), "{manifest}");
    for (set, (_, language, _)) in sets.iter().zip(voices) {
        ensure!(set.contains(&format!("lang=\"{language}\"")), "{set}");
    }
    ensure!(sets.iter().filter(|set| set.contains("value=\"main\"")).count() == 1, "{manifest}");
    Ok(())
}

/// The tone that ffmpeg hears when it asks for a language: half of how often its wave crosses zero in the two middle seconds.
fn heard(address: &str, language: &str) -> Result<u32> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", address, "-map", &format!("0:a:m:language:{language}")])
        .args(["-ac", "1", "-ar", &RATE.to_string(), "-f", "s16le", "-"])
        .output()?;
    ensure!(output.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&output.stderr));
    let samples: Vec<i16> = output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let seconds = samples.len() as f64 / RATE as f64;
    ensure!((3.8..4.3).contains(&seconds), "{seconds} s of {language}");
    let middle = &samples[RATE..3 * RATE];
    let crossings = middle.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
    Ok(u32::try_from(crossings / 4)?)
}
