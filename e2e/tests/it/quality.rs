//! A ladder by quality: each film gets what it needs, what was measured is what is played, and a search that fails costs no film.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::Client,
    process::Folder,
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};
use serde_json::Value;

use super::explained::{download, likeness, made, mean, reasons, upload};

/// What a rendition is to reach here.
const TARGET: f64 = 0.97;
/// Samples are a part of the film, and each begins with a key frame.
const FAITHFUL: f64 = 0.02;

super::on_both_footings!(
    each_film_gets_the_quality_that_it_needs,
    a_film_that_was_made_larger_gets_no_rung_for_it,
    a_search_that_fails_costs_no_film,
    all_parts_of_a_film_have_the_factor_that_was_found,
);

fn by_quality(footing: Footing) -> Builder {
    let target = TARGET.to_string();
    [
        ("QUALITY__ENABLED", "true"),
        ("QUALITY__SSIM", target.as_str()),
        ("QUALITY__MIN_SECONDS", "4"),
        ("LADDER__RUNGS", "360,240,144"),
        ("LADDER__PREVIEW", "false"),
        ("LADDER__STORYBOARD", "false"),
    ]
    .into_iter()
    .fold(Site::builder(footing), |builder, (key, value)| builder.env(format!("REELGATE__{key}"), value))
}

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::admin("alice", "acme").jwt())
}

/// Twelve seconds without a loss, as a file that nobody plays as it is.
fn film(folder: &Folder, name: &str, picture: &str) -> Result<PathBuf> {
    let path = folder.path().join(name);
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-g", "25", "-pix_fmt", "yuv420p"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make {name}");
    Ok(path)
}

fn curve<'a>(job: &'a Value, name: &str) -> Result<&'a Value> {
    let curves = job["plan"]["quality"]["curves"].as_array().context("no search")?;
    curves.iter().find(|curve| curve["name"] == name).with_context(|| format!("no curve of {name}: {job:#}"))
}

/// What was measured with the factor that was chosen: likeness and bits per second.
fn chosen(curve: &Value) -> Result<(f64, f64)> {
    let point = curve["points"].as_array().and_then(|points| points.iter().find(|point| point["crf"] == curve["crf"]));
    let point = point.with_context(|| format!("what was chosen was not measured: {curve:#}"))?;
    Ok((point["own"].as_f64().unwrap(), point["bitrate"].as_f64().unwrap()))
}

async fn each_film_gets_the_quality_that_it_needs(footing: Footing) -> Result<()> {
    // One rung, for a plain film is worth no more.
    let site = by_quality(footing).env("REELGATE__LADDER__RUNGS", "360").start().await?;
    let (client, folder) = (alice(&site), Folder::new("quality")?);
    let plain = "gradients=size=640x360:rate=25:duration=12:seed=7:speed=0.02";
    let rich = "testsrc2=size=640x360:rate=25:duration=12,noise=alls=4:allf=t";
    let mut factors = Vec::new();
    for (name, picture) in [("plain.mkv", plain), ("rich.mkv", rich)] {
        let source = film(&folder, name, picture)?;
        let file = upload(&client, &source).await?;
        let (_, job) = made(&client, &file).await?;
        let curve = curve(&job, "360p")?;
        let factor = curve["crf"].as_u64().unwrap();
        ensure!(curve["usual_crf"] == 23 && curve["points"].as_array().unwrap().len() <= 4, "{curve:#}");
        ensure!(
            job["plan"]["rungs"].as_array().unwrap().iter().any(|rung| rung["video"]["crf"] == factor),
            "{:#}",
            job["plan"]["rungs"]
        );
        let (own, bitrate) = chosen(curve)?;
        let played = download(&client, &file, "360p", &folder).await?;
        let bits = std::fs::metadata(&played)?.len() as f64 * 8.0 / 12.0;
        let found = tokio::task::spawn_blocking(move || likeness(&played, &source, "640:360")).await??;
        ensure!((mean(&found) - own).abs() < FAITHFUL, "{name}: {} is played, {own} was measured", mean(&found));
        // An MP4 of so few bytes has as much again around its pictures.
        ensure!((bits / bitrate - 1.0).abs() < 0.3 || bitrate < 50_000.0, "{name}: {bits} and {bitrate}");
        factors.push((factor, own));
    }
    let [(plain, _), (rich, _)] = factors[..] else { unreachable!() };
    ensure!(plain > 23 && rich < plain, "{factors:?}");
    Ok(())
}

async fn a_film_that_was_made_larger_gets_no_rung_for_it(footing: Footing) -> Result<()> {
    let site = by_quality(footing).start().await?;
    let (client, folder) = (alice(&site), Folder::new("quality")?);
    let blown_up = "testsrc2=size=96x54:rate=25:duration=12,scale=640:360:flags=bicubic,gblur=sigma=6";
    let file = upload(&client, &film(&folder, "soft.mkv", blown_up)?).await?;
    let (info, job) = made(&client, &file).await?;
    let top = curve(&job, "360p")?;
    ensure!(top["dropped"].is_string() && top["saved_bytes"].as_i64() > Some(0), "{top:#}");
    let names: Vec<&str> =
        job["plan"]["rungs"].as_array().unwrap().iter().filter_map(|rung| rung["name"].as_str()).collect();
    ensure!(!names.is_empty() && !names.contains(&"360p"), "{names:?}");
    let renditions: Vec<&str> = info["renditions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"] == "video")
        .filter_map(|one| one["name"].as_str())
        .collect();
    ensure!(renditions == names, "{renditions:?} of {names:?}");
    ensure!(reasons(&job).iter().any(|reason| reason.contains("no 360p")), "{:?}", reasons(&job));
    download(&client, &file, names[0], &folder).await.map(drop)
}

/// Its container promises twelve seconds and has five: two of three samples are not there.
async fn a_search_that_fails_costs_no_film(footing: Footing) -> Result<()> {
    let site = by_quality(footing).start().await?;
    let (client, folder) = (alice(&site), Folder::new("quality")?);
    let whole = film(&folder, "whole.mkv", "testsrc2=size=640x360:rate=25:duration=12")?;
    let bytes = std::fs::read(&whole)?;
    let cut = folder.path().join("cut.mkv");
    std::fs::write(&cut, &bytes[..bytes.len() * 5 / 12])?;
    let file = upload(&client, &cut).await?;
    let (info, job) = made(&client, &file).await?;
    ensure!(info["renditions"].as_array().unwrap().iter().any(|one| one["name"] == "360p"), "{info:#}");
    ensure!(job["plan"]["quality"].is_null(), "{job:#}");
    ensure!(reasons(&job).iter().any(|reason| reason.contains("no search for quality")), "{:?}", reasons(&job));
    ensure!(job["attempts"].as_array().unwrap().len() == 1, "{job:#}");
    Ok(())
}

async fn all_parts_of_a_film_have_the_factor_that_was_found(footing: Footing) -> Result<()> {
    let in_parts = [("MIN_GIGAPIXELS", "0"), ("CHUNK_SECONDS", "4"), ("MIN_SLOTS", "1")];
    let builder = in_parts
        .into_iter()
        .fold(by_quality(footing), |builder, (key, value)| builder.env(format!("REELGATE__SPLIT__{key}"), value));
    let site = builder.env("REELGATE__QUALITY__SSIM", "0.95").start().await?;
    let (client, folder) = (alice(&site), Folder::new("quality")?);
    let source = folder.path().join("film.mp4");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=12"])
        .args(["-c:v", "mpeg4", "-q:v", "2", "-g", "25"])
        .arg(&source)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make a film");
    let file = upload(&client, &source).await?;
    let (_, job) = made(&client, &file).await?;
    ensure!(reasons(&job).iter().any(|reason| reason.contains("in 3 parts")), "{:?}", reasons(&job));
    let curve = curve(&job, "360p")?;
    ensure!(curve["crf"].as_u64() > Some(23), "{curve:#}");
    // The packets say with which factor x264 was told to make them.
    let played = download(&client, &file, "360p", &folder).await?;
    let said = String::from_utf8_lossy(&std::fs::read(played)?).into_owned();
    let wanted = format!("crf={}.0", curve["crf"]);
    ensure!(said.matches(&wanted).count() >= 3, "{} times {wanted}", said.matches(&wanted).count());
    Ok(())
}
