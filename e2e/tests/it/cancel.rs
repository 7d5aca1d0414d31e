//! A job that is cancelled while its film is being encoded: the task dies, and nothing of the attempt is left anywhere.
#![allow(clippy::print_stdout, reason = "how long it took is a figure of the docs")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use http::Method;
use reelgate_common::{ids::OrgId, job::JobState};
use reelgate_e2e::{
    client::{Client, Upload},
    process::{Folder, Process, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

/// A film that takes long: noise, and by a slow preset.
fn film(folder: &Folder) -> Result<PathBuf> {
    let path = folder.path().join("noise.mkv");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=16"])
        .args(["-vf", "noise=alls=60:allf=t", "-c:v", "mpeg4", "-b:v", "12M"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make the film");
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_running_job_kills_its_task_and_leaves_nothing_embedded() -> Result<()> {
    cancel(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_running_job_kills_its_task_and_leaves_nothing_in_production() -> Result<()> {
    cancel(Footing::Production).await
}

async fn cancel(footing: Footing) -> Result<()> {
    let folder = Folder::new("cancel")?;
    // A heartbeat that is long in coming: the kill must not wait for one.
    let site = Site::builder(footing)
        .env("REELGATE__LADDER__PRESET", "slow")
        .env("REELGATE__JOBS__HEARTBEAT_MS", "60000")
        .env("REELGATE__JOBS__LEASE_MS", "180000")
        .start()
        .await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let admin = site.client().signed_in(SignIn::admin("carol", "acme").jwt());
    let file = alice.upload_one(Upload::file("noise.mkv", "video/x-matroska", film(&folder)?)).await?;
    let job = encoding(&site, &admin, &file).await.with_context(|| site.output())?;
    let tasks = tasks_of(worker(&site))?;
    ensure!(!tasks.is_empty() && tasks.iter().all(|task| lives(*task)), "nothing is running\n{}", site.output());
    tasks.iter().try_for_each(|task| is_shut_in(*task))?;

    let asked = Instant::now();
    let answer = admin.send(Method::POST, &format!("/v1/jobs/{job}/cancel"), &[], "").await?.expect(200)?.json()?;
    ensure!(answer["state"] == "cancelled", "{answer:#}");
    eventually("the tasks are gone", PATIENCE, async || !tasks.iter().any(|task| lives(*task)))
        .await
        .with_context(|| site.output())?;
    println!("{footing:?}: {} tasks were gone {} ms after the request", tasks.len(), asked.elapsed().as_millis());

    let left = async || attempts_in(Path::new(&site.scratch())).unwrap_or_default();
    eventually("scratch is empty", PATIENCE, async || left().await.is_empty()).await?;
    ensure!(tasks_of(worker(&site))?.is_empty(), "another task was started");
    only_the_source_is_left(&site, &alice, &file).await?;
    nothing_counts_as_running(&site, &admin, &file, &job).await
}

/// The job's id, once its film is being encoded.
async fn encoding(site: &Site, admin: &Client, file: &str) -> Result<String> {
    let mut found = String::new();
    eventually("the film is being encoded", PATIENCE, async || {
        let page = admin.get(&format!("/v1/jobs?file_id={file}")).await.and_then(|answer| answer.json());
        let job = page.map(|page| page["jobs"][0].clone()).unwrap_or_default();
        found = job["id"].as_str().unwrap_or_default().to_owned();
        // The rungs lie in scratch from the first packet on, and are published long after.
        job["state"] == "running" && has_rungs(Path::new(&site.scratch()))
    })
    .await?;
    Ok(found)
}

fn worker(site: &Site) -> &Process {
    match site.footing {
        Footing::Embedded => &site.gateways[0].process,
        Footing::Production => &site.workers[0],
    }
}

/// Process ids of a worker's children.
fn tasks_of(worker: &Process) -> Result<BTreeSet<u32>> {
    let processes = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(processes.filter(|process| parent(*process) == Some(worker.pid())).collect())
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may hold anything, but for the last bracket.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

fn lives(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// As the kernel says of a task that encodes: no privilege to gain, filters in place, and the first to go without memory.
fn is_shut_in(task: u32) -> Result<()> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{task}/{name}"));
    let status = read("status")?;
    ensure!(status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"), "{status}");
    ensure!(read("oom_score_adj")?.trim() == "1000", "the task is not the first to go");
    Ok(())
}

/// `{worker}/{attempt}`, beside locks.
fn attempts_in(scratch: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for worker in folders(scratch)? {
        found.extend(folders(&worker)?);
    }
    Ok(found)
}

fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(entries.filter(|path| path.is_dir()).collect())
}

fn has_rungs(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => has_rungs(&path),
        false => path.extension().is_some_and(|extension| extension == "mp4"),
    })
}

/// It may be run again, so the source stays; nothing else has been published.
async fn only_the_source_is_left(site: &Site, alice: &Client, file: &str) -> Result<()> {
    let info = alice.info(file).await?;
    ensure!(info["state"] == "failed" && info["failure"]["code"] == "cancelled", "{info:#}");
    let published = info["renditions"].as_array().context("renditions")?;
    let playable = published.iter().any(|one| one["kind"] == "video" || one["kind"] == "audio");
    ensure!(!playable, "something was published: {info:#}");
    eventually("nothing but the source is stored", PATIENCE, async || {
        let (lasting, staged) = (site.stored("media/").await, site.stored("staging/").await);
        let Ok(objects) = lasting.and_then(|lasting| Ok([lasting, staged?].concat())) else { return false };
        objects.len() == 1 && objects[0].ends_with(&format!("{file}/source"))
    })
    .await
}

/// The worker says so itself, a moment after its task is gone.
async fn nothing_counts_as_running(site: &Site, admin: &Client, file: &str, job: &str) -> Result<()> {
    let (db, org, file) = (site.database().await?, OrgId::new("acme"), file.parse()?);
    let mut explained = Value::Null;
    eventually("nothing counts as running", PATIENCE, async || {
        let answer = admin.get(&format!("/v1/jobs/{job}")).await.and_then(|answer| answer.json());
        explained = answer.unwrap_or_default();
        let one = explained["attempts"].as_array().is_some_and(|attempts| attempts.len() == 1);
        let ended =
            explained["attempts"][0]["outcome"] == "cancelled" && explained["attempts"][0]["ended_at"].is_string();
        let jobs = db.jobs_of(&org, file).await.unwrap_or_default();
        one && ended && jobs.len() == 1 && jobs[0].state == JobState::Cancelled && jobs[0].worker.is_none()
    })
    .await
    .with_context(|| format!("{explained:#}"))
}
