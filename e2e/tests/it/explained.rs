//! Films and what their jobs say of how they were made.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::{Client, Upload},
    process::Folder,
};
use serde_json::{Value, json};

pub(super) const PATIENCE: Duration = Duration::from_secs(240);

pub(super) async fn upload(client: &Client, path: &Path) -> Result<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    client.upload_one(Upload::file(name, "video/mp4", path)).await
}

/// When its job is over, and what it says of itself.
pub(super) async fn made(client: &Client, file: &str) -> Result<(Value, Value)> {
    let info = client.wait_until(file, PATIENCE, |info| info["progress"] == 1.0 || info["state"] == "failed").await?;
    ensure!(info["state"] == "ready", "{info:#}");
    Ok((info, explained(client, file).await?))
}

pub(super) async fn explained(client: &Client, file: &str) -> Result<Value> {
    let page = client.get(&format!("/v1/jobs?file_id={file}")).await?.expect(200)?.json()?;
    let job = page["jobs"][0]["id"].as_str().context("no job")?.to_owned();
    client.get(&format!("/v1/jobs/{job}")).await?.expect(200)?.json()
}

/// Why it was made in parts, or why not.
pub(super) fn reasons(job: &Value) -> Vec<String> {
    let reasons = job["plan"]["reasons"].as_array().cloned().unwrap_or_default();
    reasons.iter().map(|reason| format!("{}: {}", reason["what"], reason["why"])).collect()
}

pub(super) async fn download(client: &Client, file: &str, rendition: &str, folder: &Folder) -> Result<PathBuf> {
    let token = client.stream_token(&json!({})).await?;
    let answer = client.get(&format!("/v1/files/stream/{file}?token={token}&rendition={rendition}")).await?;
    let path = folder.path().join(format!("{file}-{rendition}.mp4"));
    std::fs::write(&path, &answer.expect(200)?.body)?;
    Ok(path)
}

/// How like the source each picture is, 0.0 to 1.0.
pub(super) fn likeness(output: &Path, source: &Path, size: &str) -> Result<Vec<f64>> {
    let graph = format!("[1:v]scale={size}:flags=bicubic[s];[0:v][s]ssim=f=-");
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(output)
        .arg("-i")
        .arg(source)
        .args(["-lavfi", &graph, "-f", "null", "-"])
        .output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout)?;
    let all = |line: &str| line.split("All:").nth(1)?.split(' ').next()?.parse().ok();
    Ok(text.lines().filter_map(all).collect())
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
