//! Clocks are set forward and back by an hour: of the worker, of the gateway, of the database, and of Redis: none of them follows the other. No lease ends early
//! and none lives for ever: fault 17 of docs/faults.md.
#![allow(clippy::print_stdout, reason = "what was not looked at is said")]

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    ids::{FileId, OrgId},
    job::JobRecord,
};
use reelgate_e2e::{
    client::{Client, Upload},
    clock::Clock,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};
use rustix::process::{Pid, Signal, kill_process};
use sea_orm::ConnectionTrait;

use super::foreign_clip;

const PATIENCE: Duration = Duration::from_secs(120);
const ORG: &str = "acme";
const HOUR: i64 = 3_600;

fn small() -> Builder {
    let builder = Site::builder(Footing::Production).workers(0);
    let settings = [("LADDER__RUNGS", "144"), ("LADDER__STORYBOARD", "false"), ("LADDER__PREVIEW", "false")];
    // The task that is held up gets no further.
    let settings = settings.iter().chain(&[("WORKER__NO_PROGRESS_MS", "600000"), ("WORKER__PROBE_LIMIT_MS", "600000")]);
    settings.fold(builder, |builder, (key, value)| builder.env(format!("REELGATE__{key}"), *value))
}

/// Signed in for long enough that no clock here calls it over.
fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", ORG).ttl(86_400).jwt())
}

fn wear(site: &mut Site, clock: &Clock) {
    clock.environment().into_iter().for_each(|(key, value)| site.set_env(key, value));
}

async fn the_job(site: &Site, file: &str) -> Result<JobRecord> {
    let jobs = site.database().await?.jobs_of(&OrgId::new(ORG), file.parse::<FileId>()?).await?;
    jobs.into_iter().next().context("the file has no job")
}

/// An upload whose task stands still, so that its job runs for as long as the test wants. The worker goes on.
async fn held_up(site: &Site, folder: &Folder) -> Result<(String, Pid)> {
    let file = uploaded(site, folder).await?;
    // Before, the worker's only task is its trial of the sandbox.
    eventually("its job has begun", PATIENCE, async || the_job(site, &file).await.is_ok_and(|job| job.attempt == 1))
        .await
        .with_context(|| site.output())?;
    let worker = site.workers.first().context("a worker")?;
    let mut held = None;
    eventually("a task is held up", PATIENCE, async || {
        held = worker.children().into_iter().find(|task| kill_process(*task, Signal::STOP).is_ok() && stands(*task));
        held.is_some()
    })
    .await
    .with_context(|| site.output())?;
    Ok((file, held.context("just found")?))
}

/// Stopped, and not ended in the same moment.
fn stands(task: Pid) -> bool {
    let status = || std::fs::read_to_string(format!("/proc/{}/stat", task.as_raw_nonzero())).unwrap_or_default();
    loop {
        match status().rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()) {
            Some('T') => return true,
            Some('R' | 'S' | 'D') => std::thread::yield_now(),
            _ => return false,
        }
    }
}

/// Two leases' worth of heartbeats under the clock as it is now: were anything held against it, it would show.
async fn goes_on(site: &Site, file: &str) -> Result<()> {
    for _ in 0..2 {
        let begun = std::time::Instant::now();
        let before = the_job(site, file).await?.heartbeat_at;
        eventually("a heartbeat", PATIENCE, async || {
            let beaten = the_job(site, file).await.is_ok_and(|job| job.heartbeat_at != before);
            beaten && begun.elapsed() > Duration::from_secs(3)
        })
        .await
        .with_context(|| site.output())?;
    }
    let job = the_job(site, file).await?;
    ensure!((job.attempt, job.losses, job.failures) == (1, 0, 0), "{job:?}\n{}", site.output());
    Ok(())
}

/// The first worker dies; another finishes, in the time that a lease takes and not an hour later.
async fn another_takes_over(site: &mut Site, file: &str) -> Result<()> {
    site.workers[0].kill()?;
    site.start_worker()?;
    eventually("another worker takes it over", PATIENCE, async || {
        the_job(site, file).await.is_ok_and(|job| job.attempt == 2)
    })
    .await
    .with_context(|| site.output())?;
    let info = alice(site).wait_settled(file, PATIENCE).await.with_context(|| site.output())?;
    ensure!(info["state"] == "ready", "{info}");
    let job = the_job(site, file).await?;
    ensure!((job.losses, job.failures) == (1, 0), "{job:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workers_and_a_gateways_wrong_clock_end_no_lease_and_keep_none_alive() -> Result<()> {
    let folder = Folder::new("clocks")?;
    let (at_worker, at_gateway) = (Clock::new()?, Clock::new()?);
    let mut site = small().gateways(0).start().await?;
    wear(&mut site, &at_gateway);
    site.start_gateway().await?;
    wear(&mut site, &at_worker);
    site.start_worker()?;
    let (file, _held) = held_up(&site, &folder).await?;
    for (worker, gateway) in [(HOUR, 0), (-HOUR, 0), (0, HOUR), (0, -HOUR), (HOUR, -HOUR)] {
        at_worker.set(worker)?;
        at_gateway.set(gateway)?;
        goes_on(&site, &file).await.with_context(|| format!("worker {worker}, gateway {gateway}"))?;
    }
    another_takes_over(&mut site, &file).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_the_databases_clock_ends_no_lease_and_keeps_none_alive() -> Result<()> {
    let folder = Folder::new("clocks")?;
    let clock = Clock::new()?;
    let mut site = small().database_env(clock.environment()).start().await?;
    a_step_does_no_harm(&mut site, &folder, &clock).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_redis_clock_ends_no_lease_keeps_none_alive_and_holds_nothing_up() -> Result<()> {
    let folder = Folder::new("clocks")?;
    let clock = Clock::new()?;
    let mut site = small().queue_env(clock.environment()).start().await?;
    a_step_does_no_harm(&mut site, &folder, &clock).await?;
    for ahead in [-HOUR, HOUR] {
        clock.set(ahead)?;
        ensure!(hours(&site.services()?.redis.command("TIME").await?) == ahead / HOUR, "Redis looks at its clock");
        let file = uploaded(&site, &folder).await?;
        let job = ready(&site, &file).await.with_context(|| format!("{ahead} s ahead"))?;
        ensure!((job.attempt, job.losses, job.failures) == (1, 0, 0), "{ahead} s ahead: {job:?}");
    }
    Ok(())
}

/// Claimed early it is given back, and not claimed again at once and again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_due_is_not_claimed_all_the_time_by_a_redis_that_is_ahead() -> Result<()> {
    let folder = Folder::new("clocks")?;
    let clock = Clock::new()?;
    clock.set(HOUR)?;
    let mut site = small().queue_env(clock.environment()).start().await?;
    let file = uploaded(&site, &folder).await?;
    let later = "update jobs set next_attempt_at = extract(epoch from clock_timestamp()) * 1000 + 5000";
    site.database().await?.connection().execute_unprepared(later).await?;
    site.start_worker()?;
    let job = ready(&site, &file).await?;
    ensure!((job.attempt, job.losses, job.failures) == (1, 0, 0), "{job:?}");
    let claims = site.services()?.redis.command("HGET {reelgate}:turns last").await?;
    let claims = claims.lines().nth(1).context("claims are counted")?.parse::<u64>()?;
    // As often as the dispatcher brings it: ten times a second here.
    ensure!((2..150).contains(&claims), "{claims} claims\n{}", site.output());
    Ok(())
}

/// By how many hours what Redis has answered to TIME differs from the time here.
fn hours(answer: &str) -> i64 {
    let seconds = answer.lines().find_map(|line| line.parse::<i64>().ok()).unwrap_or_default();
    let here = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs().cast_signed());
    (seconds - here + HOUR / 2).div_euclid(HOUR)
}

/// The clock of a service is set while a job runs, and while one waits and its worker is dead.
async fn a_step_does_no_harm(site: &mut Site, folder: &Folder, clock: &Clock) -> Result<()> {
    site.start_worker()?;
    let (file, _held) = held_up(site, folder).await?;
    for ahead in [HOUR, 0, -HOUR] {
        clock.set(ahead)?;
        goes_on(site, &file).await.with_context(|| format!("{ahead} s ahead"))?;
    }
    // What is written now, before the clock is set back once more, is of an hour that is to come.
    clock.set(HOUR)?;
    goes_on(site, &file).await?;
    let waiting = uploaded(site, folder).await?;
    site.workers[0].kill()?;
    clock.set(0)?;
    site.start_worker()?;
    ready(site, &waiting).await?;
    let job = ready(site, &file).await?;
    ensure!((job.attempt, job.losses, job.failures) == (2, 1, 0), "{job:?}");
    Ok(())
}

async fn uploaded(site: &Site, folder: &Folder) -> Result<String> {
    alice(site).upload_one(Upload::file("film.mkv", "video/x-matroska", foreign_clip(folder)?)).await
}

/// Its job, once it is ready, with each rendition once.
async fn ready(site: &Site, file: &str) -> Result<JobRecord> {
    let info = alice(site).wait_settled(file, PATIENCE).await.with_context(|| site.output())?;
    ensure!(info["state"] == "ready", "{info}");
    let names: Vec<_> = info["renditions"].as_array().into_iter().flatten().map(|it| it["name"].to_string()).collect();
    ensure!(!names.is_empty() && names.iter().collect::<BTreeSet<_>>().len() == names.len(), "{names:?}");
    the_job(site, file).await
}
