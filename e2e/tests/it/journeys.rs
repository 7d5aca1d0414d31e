//! From the upload to the picture: every file of the corpus goes through HTTP, is processed by the real worker, and is played
//! back and decoded by ffmpeg. Also what happens when a worker dies in the middle, and many workers on one queue.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "what was looked at, and what was not, is said")]

mod faithful;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reelgate_common::{
    ids::{FileId, OrgId},
    job::JobRecord,
};
use reelgate_e2e::{
    client::{Client, Upload, id_of},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

const ORG: &str = "acme";
const PATIENCE: Duration = Duration::from_secs(300);

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", ORG).jwt())
}

// ---- the corpus ----

/// A row of the manifest.
struct Sample {
    path: PathBuf,
    name: String,
    expected: String,
}

/// The files of `$REELGATE_CORPUS`; without it, two generated ones, and that is said.
fn samples(folder: &Folder) -> Result<Vec<Sample>> {
    let Some(corpus) = std::env::var_os("REELGATE_CORPUS").map(PathBuf::from) else {
        println!("REELGATE_CORPUS is not set: generated clips instead of the real files");
        let clip = generate(folder, "generated.mkv", 3, &["-c:v", "mpeg4", "-c:a", "ac3"])?;
        let text = folder.path().join("generated-text.mp4");
        std::fs::write(&text, "no film at all")?;
        return Ok(vec![sample(clip, "playable"), sample(text, "rejected with clear error")]);
    };
    let manifest = std::fs::read_to_string(corpus.join("MANIFEST.tsv"))?;
    let rows = manifest.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        sample(corpus.join(columns[0]), columns[columns.len() - 1])
    });
    Ok(rows.collect())
}

fn sample(path: PathBuf, expected: &str) -> Sample {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Sample { path, name, expected: expected.to_owned() }
}

fn generate(folder: &Folder, name: &str, seconds: u32, codecs: &[&str]) -> Result<PathBuf> {
    let path = folder.path().join(name);
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"])
        .arg(format!("testsrc2=size=640x360:rate=25:duration={seconds}"))
        .args(["-f", "lavfi", "-i", &format!("sine=frequency=440:duration={seconds}")])
        .args(codecs)
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make {name}");
    Ok(path)
}

/// What is wrong with how the product treated one file; empty when nothing is.
async fn complaints(client: &Client, token: &str, sample: &Sample, id: &str, folder: &Folder) -> Result<Vec<String>> {
    let info = client.wait_settled(id, PATIENCE).await?;
    let state = info["state"].as_str().unwrap_or_default();
    let mut complaints = Vec::new();
    match (sample.expected.as_str(), state) {
        ("playable", "ready") => {}
        ("rejected with clear error", "failed") if info["failure"]["code"].is_string() => {}
        (expected, _) if expected.starts_with("either") => {}
        (expected, _) => complaints.push(format!("expected {expected}, got {state} {}", info["failure"])),
    }
    if state == "ready" {
        let playable: Vec<&Value> =
            info["renditions"].as_array().context("renditions")?.iter().filter(is_playable).collect();
        if playable.is_empty() {
            complaints.push("ready without anything playable".to_owned());
        }
        for rendition in playable {
            let path = folder.path().join(format!("{id}-{}", rendition["name"].as_str().unwrap_or_default()));
            download(client, token, id, rendition, &path).await?;
            complaints.extend(unplayable(&path, &sample.path, rendition, &info)?);
            std::fs::remove_file(&path)?;
        }
    }
    complaints.extend(changed_source(client, token, sample, id, state).await?);
    Ok(complaints)
}

fn is_playable(rendition: &&Value) -> bool {
    matches!(rendition["kind"].as_str(), Some("video" | "audio"))
}

async fn download(client: &Client, token: &str, id: &str, rendition: &Value, path: &Path) -> Result<()> {
    // The source's own rendition is the playable view of it (moov in front); `rendition=source` is the exact upload.
    let name = rendition["name"].as_str().context("name")?;
    let wish = if name == "source" { String::new() } else { format!("&rendition={name}") };
    let answer = client.get(&format!("/v1/files/stream/{id}?token={token}{wish}")).await?.expect(200)?;
    std::fs::write(path, &answer.body)?;
    Ok(())
}

/// Decodes the whole and compares length and layout.
fn unplayable(path: &Path, original: &Path, rendition: &Value, info: &Value) -> Result<Vec<String>> {
    let name = rendition["name"].as_str().unwrap_or_default();
    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("{name}: {what}"));
    faithful::complaints(original, path, name, &info["media"])?.into_iter().for_each(&mut complain);
    let bytes = std::fs::read(path)?;
    let place = |kind: &[u8]| bytes.windows(4).position(|window| window == kind);
    if place(b"moov").unwrap_or(usize::MAX) > place(b"mdat").unwrap_or(0) {
        complain("moov lies behind mdat".to_owned());
    }
    let played = duration(path)?;
    let claimed = info["media"]["duration_ms"].as_f64().unwrap_or_default() / 1000.0;
    // Containers count subtitles and padding into their duration; what counts is what can be shown and heard.
    let expected = [claimed, shown_and_heard(original)?, duration(original).unwrap_or_default()];
    if expected.iter().all(|expected| (played - expected).abs() > 0.1) {
        complain(format!("lasts {played} s instead of one of {expected:?}"));
    }
    Ok(complaints)
}

fn ffprobe(path: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("ffprobe").args(["-v", "error"]).args(arguments).arg(path).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

fn duration(path: &Path) -> Result<f64> {
    let text = ffprobe(path, &["-show_entries", "format=duration", "-of", "csv=p=0"])?;
    text.trim().parse().with_context(|| format!("{} has no duration: {text}", path.display()))
}

/// From the first to the end of the last packet of the first video and the first audio track, in seconds.
fn shown_and_heard(path: &Path) -> Result<f64> {
    let (mut start, mut end) = (f64::MAX, 0.0_f64);
    for track in ["v:0", "a:0"] {
        let entries = "packet=pts_time,duration_time";
        let text = ffprobe(path, &["-select_streams", track, "-show_entries", entries, "-of", "csv=p=0"])?;
        for line in text.lines() {
            let mut numbers = line.split(',').map(|number| number.trim().parse::<f64>().ok());
            let Some(Some(time)) = numbers.next() else { continue };
            start = start.min(time);
            end = end.max(time + numbers.next().flatten().unwrap_or(0.0));
        }
    }
    Ok(end - start.max(0.0).min(end))
}

/// The upload must come back byte for byte, whatever became of it.
async fn changed_source(
    client: &Client,
    token: &str,
    sample: &Sample,
    id: &str,
    state: &str,
) -> Result<Option<String>> {
    let answer = client.get(&format!("/v1/files/stream/{id}?token={token}&rendition=source")).await?;
    if answer.status != 200 {
        return Ok(Some(format!("{state}, and rendition=source answers {}", answer.status)));
    }
    let same = Sha256::digest(&answer.body) == Sha256::digest(std::fs::read(&sample.path)?);
    Ok((!same).then(|| "the source came back changed".to_owned()))
}

async fn every_file_meets_its_expectation(footing: Footing) -> Result<()> {
    let folder = Folder::new("journeys")?;
    let samples = samples(&folder)?;
    let site = Site::builder(footing).workers(2).start().await?;
    let client = alice(&site);
    let mut uploaded = Vec::new();
    for sample in &samples {
        let upload = Upload::file(&sample.name, "application/octet-stream", &sample.path);
        uploaded.push(client.upload_one(upload).await.with_context(|| sample.name.clone())?);
    }
    let mut wrong = Vec::new();
    for (sample, id) in samples.iter().zip(&uploaded) {
        client.wait_settled(id, PATIENCE).await.with_context(|| sample.name.clone())?;
        let token = client.stream_token(&serde_json::json!({})).await?;
        let found = complaints(&client, &token, sample, id, &folder).await.with_context(|| sample.name.clone())?;
        wrong.extend(found.into_iter().map(|complaint| format!("{}: {complaint}", sample.name)));
    }
    println!("{footing:?}: {} files uploaded, processed and played", samples.len());
    eventually("staging is empty", Duration::from_secs(30), async || {
        site.stored("staging/").await.is_ok_and(|left| left.is_empty())
    })
    .await?;
    ensure!(wrong.is_empty(), "{} wrong:\n{}\n", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_meets_its_expectation_embedded() -> Result<()> {
    every_file_meets_its_expectation(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_meets_its_expectation_in_production() -> Result<()> {
    every_file_meets_its_expectation(Footing::Production).await
}

// ---- workers ----

async fn the_job(site: &Site, id: &str) -> Result<JobRecord> {
    let file: FileId = id.parse()?;
    let jobs = site.database().await?.jobs_of(&OrgId::new(ORG), file).await?;
    jobs.into_iter().next().context("the file has no job")
}

fn names(info: &Value) -> Vec<String> {
    let renditions = info["renditions"].as_array().cloned().unwrap_or_default();
    renditions.iter().filter_map(|rendition| rendition["name"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_is_a_loss_and_another_finishes() -> Result<()> {
    let folder = Folder::new("killed")?;
    let clip = generate(&folder, "long.mkv", 60, &["-c:v", "mpeg4", "-q:v", "3", "-c:a", "ac3"])?;
    let mut site = Site::builder(Footing::Production).workers(1).start().await?;
    let client = alice(&site);
    let id = client.upload_one(Upload::file("long.mkv", "video/x-matroska", &clip)).await?;
    client.wait_until(&id, PATIENCE, |info| info["progress"].as_f64().is_some_and(|done| done > 0.1)).await?;
    site.workers[0].kill()?;
    site.workers.clear();
    site.start_worker()?;
    finished_after_one_loss(&site, &client, &id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_killed_in_the_middle_goes_on_at_its_next_start() -> Result<()> {
    let folder = Folder::new("killed")?;
    let clip = generate(&folder, "long.mkv", 60, &["-c:v", "mpeg4", "-q:v", "3", "-c:a", "ac3"])?;
    // Its folder's lock says that whoever held the job is dead, so nobody waits for the lease: this one outlasts the test.
    let lease = ("REELGATE__JOBS__LEASE_MS", (2 * PATIENCE.as_millis()).to_string());
    let mut site = Site::builder(Footing::Embedded).env(lease.0, lease.1).start().await?;
    let client = alice(&site);
    let id = client.upload_one(Upload::file("long.mkv", "video/x-matroska", &clip)).await?;
    client.wait_until(&id, PATIENCE, |info| info["progress"].as_f64().is_some_and(|done| done > 0.1)).await?;
    site.gateways[0].process.kill()?;
    assert!(!attempts_in(&site.scratch()).is_empty(), "a crash cleans nothing up");
    site.gateways.clear();
    site.start_gateway().await?;
    let client = alice(&site);
    finished_after_one_loss(&site, &client, &id).await
}

/// What a worker's death must not change, and what it must leave to nobody.
async fn finished_after_one_loss(site: &Site, client: &Client, id: &str) -> Result<()> {
    let info = client.wait_settled(id, PATIENCE).await?;
    assert_eq!(info["state"], "ready", "{info}\n{}", site.output());
    let names = names(&info);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a rendition twice: {names:?}");
    assert!(names.iter().any(|name| name == "360p"), "{names:?}");
    let job = the_job(site, id).await?;
    assert_eq!((job.failures, job.losses, job.attempt), (0, 1, 2), "a lost worker is a Loss, not a Failure");
    assert!(site.stored("staging/").await?.is_empty(), "something is left in staging");
    // What the dead worker had on its disk goes when the next one starts; what the living one had is gone already.
    let scratch = site.scratch();
    eventually("scratch is empty", Duration::from_secs(30), async || attempts_in(&scratch).is_empty()).await?;
    Ok(())
}

/// Folders with a file in them, anywhere below the scratch folder, other than locks.
fn attempts_in(scratch: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(scratch)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ if entry.file_name() != "lock" => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// What the processes have said about any of these ids.
fn lines_about(site: &Site, ids: &[&str]) -> String {
    let output = site.output();
    let lines = output.lines().filter(|line| ids.iter().any(|id| line.contains(id)));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn four_workers_on_one_queue_give_forty_uploads_one_result_each() -> Result<()> {
    let folder = Folder::new("forty")?;
    let clip = generate(&folder, "short.mkv", 1, &["-c:v", "mpeg4", "-c:a", "ac3"])?;
    let site = Site::builder(Footing::Production).gateways(2).workers(4).start().await?;
    let client = alice(&site);
    let uploads = (0..8).map(async |round| {
        let batch = (0..5).map(|n| Upload::file(format!("{round}-{n}.mkv"), "video/x-matroska", &clip));
        client.upload(batch.collect()).await
    });
    let mut ids = Vec::new();
    for uploaded in futures_util::future::try_join_all(uploads).await? {
        for file in &uploaded {
            ids.push(id_of(file)?);
        }
    }
    assert_eq!(ids.len(), 40);
    for id in &ids {
        let info = client.wait_settled(id, PATIENCE).await?;
        let mut names = names(&info);
        names.sort();
        if info["state"] != "ready" || names != ["360p", "poster", "preview", "storyboard-1"] {
            bail!("{id}: {info}\n{}", site.output());
        }
        let job = the_job(&site, id).await?;
        let history = (job.attempt, job.failures, job.losses);
        ensure!(history == (1, 0, 0), "{id}: {:?}\n{}", job, lines_about(&site, &[id, &job.id.to_string()]));
    }
    Ok(())
}
