//! Jobs under what befalls workers and queues: a worker that was stopped for longer than its lease, one job named many times, files
//! deleted at every stage, and the dead letters as an operator handles them.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reelgate_common::{
    db::FileFilter,
    ids::{FileId, OrgId},
    job::{JobRecord, JobState},
    key::Key,
};
use reelgate_e2e::{
    client::{Client, Upload},
    left_over::{NO_GRACE, left_over},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use rustix::process::Signal;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(180);
const ORG: &str = "acme";

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", ORG).jwt())
}

/// A film that takes a while: nothing of it can be copied.
fn long_film(folder: &Folder, seconds: u32) -> Result<PathBuf> {
    let path = folder.path().join("long.mkv");
    let picture = format!("testsrc2=size=640x360:rate=25:duration={seconds}");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-c:v", "mpeg4", "-q:v", "3"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make a film");
    Ok(path)
}

async fn upload(client: &Client, film: &PathBuf) -> Result<String> {
    client.upload_one(Upload::file("long.mkv", "video/x-matroska", film)).await
}

async fn the_job(site: &Site, file: &str) -> Result<JobRecord> {
    let jobs = site.database().await?.jobs_of(&OrgId::new(ORG), file.parse::<FileId>()?).await?;
    jobs.into_iter().next().context("the file has no job")
}

async fn job_is(site: &Site, file: &str, state: JobState) -> Result<()> {
    eventually(&format!("the job is {state}"), PATIENCE, async || {
        the_job(site, file).await.is_ok_and(|job| job.state == state)
    })
    .await
    .with_context(|| site.output())
}

/// Something is encoded, and it is not over.
async fn encoding(client: &Client, file: &str) -> Result<Value> {
    client.wait_until(file, PATIENCE, |info| info["progress"].as_f64().is_some_and(|done| done > 0.05)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_for_longer_than_its_lease_publishes_nothing_when_it_goes_on() -> Result<()> {
    let folder = Folder::new("zombie")?;
    let film = long_film(&folder, 40)?;
    let builder = Site::builder(Footing::Production).workers(1);
    let mut site = NO_GRACE.iter().fold(builder, |builder, (key, value)| builder.env(*key, *value)).start().await?;
    let client = alice(&site);
    let file = upload(&client, &film).await?;
    encoding(&client, &file).await?;
    site.workers[0].signal(Signal::STOP)?;
    ensure!(the_job(&site, &file).await?.attempt == 1, "the first attempt is under way");
    site.start_worker()?;
    job_is(&site, &file, JobState::Done).await?;
    let (info, job) = (client.info(&file).await?, the_job(&site, &file).await?);
    assert_eq!((job.attempt, job.losses, job.failures), (2, 1, 0), "{}", site.output());

    site.workers[0].signal(Signal::CONT)?;
    eventually("the zombie hears that it has lost", PATIENCE, async || {
        site.workers[0].output().contains("an attempt ends")
    })
    .await?;
    site.workers[0].signal(Signal::TERM)?;
    assert_eq!(site.workers[0].wait(PATIENCE)?.code(), Some(0), "{}", site.output());
    assert_eq!(client.info(&file).await?, info, "nothing flickers");
    assert_eq!(the_job(&site, &file).await?, job);
    let zombies = format!("worker-{}-", site.workers[0].pid());
    let scratch = std::fs::read_dir(site.scratch())?.collect::<std::io::Result<Vec<_>>>()?;
    assert!(!scratch.iter().any(|entry| entry.file_name().to_string_lossy().starts_with(&zombies)), "{scratch:?}");
    nothing_of_the_first_attempt_is_left(&site, &file).await
}

/// Once the reconciler has run. What the zombie had stored in the moment in which it was stopped is put there by hand: when
/// that is, is not ours to choose.
async fn nothing_of_the_first_attempt_is_left(site: &Site, file: &str) -> Result<()> {
    let (db, org, id) = (site.database().await?, OrgId::new(ORG), file.parse::<FileId>()?);
    let row = db.find_file(&org, id).await?.context("the file is gone")?;
    let (generation, name) = (row.file.generation, "half-done.mp4".to_owned());
    let key = Key::Output { org, file: id, generation, attempt: 1, name };
    site.storage()?.put(&key, Bytes::from_static(b"what a zombie stored")).await?;
    let nothing_left = async || left_over(site, &row).await.is_ok_and(|left| left.is_empty());
    eventually("nothing of the first attempt is left over", PATIENCE, nothing_left)
        .await
        .with_context(|| site.output())?;
    ensure!(row.renditions.iter().all(|it| it.attempt == 1 || it.attempt == 2), "{:?}", row.renditions);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_end_hands_its_job_back_embedded() -> Result<()> {
    told_to_end(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_end_hands_its_job_back_production() -> Result<()> {
    told_to_end(Footing::Production).await
}

/// That is no fault of the job's, and whoever comes next need not wait for a lease.
async fn told_to_end(footing: Footing) -> Result<()> {
    let folder = Folder::new("told")?;
    let film = long_film(&folder, 30)?;
    // The lease outlasts the test.
    let lease = (2 * PATIENCE.as_millis()).to_string();
    let mut site = Site::builder(footing).env("REELGATE__JOBS__LEASE_MS", lease).start().await?;
    let file = upload(&alice(&site), &film).await?;
    encoding(&alice(&site), &file).await?;
    let mut told = match footing {
        Footing::Embedded => site.gateways.remove(0).process,
        Footing::Production => site.workers.remove(0),
    };
    told.signal(Signal::TERM)?;
    assert_eq!(told.wait(PATIENCE)?.code(), Some(0), "{}", told.output());
    match footing {
        Footing::Embedded => site.start_gateway().await?,
        Footing::Production => site.start_worker()?,
    }
    alice(&site).wait_settled(&file, PATIENCE).await.with_context(|| site.output())?;
    job_is(&site, &file, JobState::Done).await?;
    let job = the_job(&site, &file).await?;
    assert_eq!((job.attempt, job.losses, job.failures), (2, 0, 0), "{}", site.output());
    Ok(())
}

/// Each key of the queue as it is now, in another database of the same Redis; or back from there.
async fn copied(site: &mut Site, from: u8, to: u8) -> Result<()> {
    let redis = &site.services()?.redis;
    let keys = redis.command(&format!("SELECT {from}\r\nKEYS *")).await?;
    let keys: Vec<_> = keys.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect();
    ensure!(!keys.is_empty(), "nothing to copy");
    for key in keys {
        redis.command(&format!("SELECT {from}\r\nCOPY {key} {key} DB {to} REPLACE")).await?;
    }
    Ok(())
}

/// Redis comes back with what it held a while ago: jobs that are over stand there as waiting, and one that waits does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_old_data_repeats_nothing_and_forgets_nothing() -> Result<()> {
    let mut site = Site::builder(Footing::Production).workers(0).start().await?;
    let folder = Folder::new("old")?;
    let (clip, client) = (web_safe_clip(&folder)?, alice(&site));
    let mut files = Vec::new();
    for _ in 0..3 {
        files.push(client.upload_one(Upload::file("clip.mp4", "video/mp4", &clip)).await?);
    }
    copied(&mut site, 0, 1).await?;
    site.start_worker()?;
    let mut before = Vec::new();
    for file in &files {
        client.wait_settled(file, PATIENCE).await.with_context(|| site.output())?;
        job_is(&site, file, JobState::Done).await?;
        before.push((client.info(file).await?, the_job(&site, file).await?));
    }
    site.workers[0].kill()?;
    let lost = client.upload_one(Upload::file("clip.mp4", "video/mp4", &clip)).await?;
    site.services()?.redis.command("FLUSHDB").await?;
    copied(&mut site, 1, 0).await?;
    site.start_worker()?;
    job_is(&site, &lost, JobState::Done).await?;
    eventually("the old entries are gone", PATIENCE, async || {
        let redis = site.services().map(|services| &services.redis);
        let Ok(redis) = redis else { return false };
        redis.command("HLEN {reelgate}:jobs").await.is_ok_and(|answer| answer == ":0\r\n")
    })
    .await
    .with_context(|| site.output())?;
    for (file, (info, job)) in files.iter().zip(before) {
        assert_eq!((client.info(file).await?, the_job(&site, file).await?), (info, job), "nothing was done again");
    }
    assert_eq!(the_job(&site, &lost).await?.attempt, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_queue_names_five_times_runs_once() -> Result<()> {
    let mut site = Site::builder(Footing::Production).workers(0).start().await?;
    let folder = Folder::new("five")?;
    let clip = web_safe_clip(&folder)?;
    let client = alice(&site);
    let file = client.upload_one(Upload::file("clip.mp4", "video/mp4", &clip)).await?;
    let job = the_job(&site, &file).await?.id;
    for n in 0..5 {
        let redis = &site.services()?.redis;
        redis.command(&format!("ZADD {{reelgate}}:ready:again{n} 0 {job}")).await?;
        redis.command(&format!("ZADD {{reelgate}}:ready 0 again{n}")).await?;
    }
    for _ in 0..4 {
        site.start_worker()?;
    }
    job_is(&site, &file, JobState::Done).await?;
    eventually("the queue is empty", PATIENCE, async || {
        let redis = match site.services() {
            Ok(services) => &services.redis,
            Err(_) => return false,
        };
        redis.command("HLEN {reelgate}:jobs").await.is_ok_and(|answer| answer == ":0\r\n")
    })
    .await?;
    let job = the_job(&site, &file).await?;
    assert_eq!((job.attempt, job.losses, job.failures), (1, 0, 0), "{}", site.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_deleted_at_any_stage_leaves_nothing_embedded() -> Result<()> {
    deleted_at_any_stage(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_deleted_at_any_stage_leaves_nothing_production() -> Result<()> {
    deleted_at_any_stage(Footing::Production).await
}

async fn deleted_at_any_stage(footing: Footing) -> Result<()> {
    let folder = Folder::new("deleted")?;
    let film = long_film(&folder, 30)?;
    let site = Site::builder(footing).env("REELGATE__WORKER__CONCURRENCY", "1").start().await?;
    let client = alice(&site);
    let delete = async |file: &str| client.delete(&format!("/v1/files/{file}")).await?.expect(200).map(drop);

    let mut unfinished = client.begin_upload("half.bin", 12 << 20).await?;
    unfinished.send(&vec![7; 6 << 20]).await?;
    let mut uploading = None;
    eventually("the upload has a row", PATIENCE, async || {
        uploading = the_only_file(&site).await.ok().flatten();
        uploading.is_some()
    })
    .await?;
    delete(&uploading.context("no row")?).await?;
    unfinished.send(&vec![7; 6 << 20]).await.ok();
    ensure!(!matches!(unfinished.finish().await, Ok((200, _))), "an upload of a deleted file was accepted");

    let (encoded, queued) = (upload(&client, &film).await?, upload(&client, &film).await?);
    encoding(&client, &encoded).await?;
    ensure!(the_job(&site, &queued).await?.state == JobState::Queued, "the only slot is taken");
    delete(&queued).await?;
    delete(&encoded).await?;

    let publishing = upload(&client, &film).await?;
    client
        .wait_until(&publishing, PATIENCE, |info| info["renditions"].as_array().is_some_and(|it| !it.is_empty()))
        .await?;
    delete(&publishing).await?;

    let mut left = Vec::new();
    let gone = eventually("nothing is left", PATIENCE, async || {
        left = traces(&site).await.unwrap_or_else(|error| vec![format!("{error:#}")]);
        left.is_empty()
    });
    gone.await.with_context(|| format!("left: {left:?}\n{}", site.output()))
}

async fn the_only_file(site: &Site) -> Result<Option<String>> {
    let filter = FileFilter { limit: 200, ..FileFilter::default() };
    let files = site.database().await?.list_files(&OrgId::new(ORG), &filter).await?;
    Ok(files.first().map(|row| row.file.id.to_string()))
}

/// Rows, those of deleted files included, objects, unfinished uploads, and what lies on the worker's disk.
async fn traces(site: &Site) -> Result<Vec<String>> {
    let mut traces = site.stored("staging/").await?;
    traces.extend(site.stored("media/").await?);
    traces.extend(the_only_file(site).await?);
    traces.extend(site.database().await?.tombstones(200).await?.iter().map(|it| format!("tombstone {}", it.file_id)));
    let mut folders = vec![PathBuf::from(site.scratch())];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ if entry.file_name() != "lock" => traces.push(entry.path().display().to_string()),
                _ => {}
            }
        }
    }
    Ok(traces)
}

/// What `reelgate jobs` prints.
fn jobs(site: &Site, arguments: &[&str]) -> Result<(bool, Value)> {
    let (success, output) = site.command(&[&["jobs"], arguments].concat())?;
    Ok((success, serde_json::from_str(&output).with_context(|| output.clone())?))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_explains_and_moves_back_what_was_given_up_embedded() -> Result<()> {
    dead_letters(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_explains_and_moves_back_what_was_given_up_production() -> Result<()> {
    dead_letters(Footing::Production).await
}

async fn dead_letters(footing: Footing) -> Result<()> {
    let (site, folder) = (Site::start(footing).await?, Folder::new("dead")?);
    let client = alice(&site);
    let broken = folder.path().join("broken.mp4");
    std::fs::write(&broken, [&b"\0\0\0\x18ftypisom\0\0\0\0isommp42"[..], &[7; 4096]].concat())?;
    let file = client.upload_one(Upload::file("broken.mp4", "video/mp4", broken)).await?;
    job_is(&site, &file, JobState::Dead).await?;
    let (_, listed) = jobs(&site, &["ls", "--state", "dead"])?;
    let (all, dead) = (listed["jobs"].as_array().context("no list")?, &listed["jobs"][0]);
    ensure!(all.len() == 1 && dead["file_id"] == file.as_str() && dead["last_error"]["code"].is_string(), "{listed:#}");
    ensure!(jobs(&site, &["ls", "--org", "globex"])?.1["jobs"] == Value::Array(Vec::new()), "another organisation");
    let id = dead["id"].as_str().context("no id")?;
    let (_, explained) = jobs(&site, &["explain", id])?;
    ensure!(explained["attempts"][0]["error"]["code"] == dead["last_error"]["code"], "{explained:#}");
    let (success, refused) = jobs(&site, &["retry", id])?;
    ensure!(!success && refused["refused"][0]["code"] == "not_retryable", "{refused:#}");

    let stopped = upload(&client, &long_film(&folder, 30)?).await?;
    encoding(&client, &stopped).await?;
    let id = the_job(&site, &stopped).await?.id.to_string();
    let (_, cancelled) = jobs(&site, &["cancel", &id])?;
    ensure!(cancelled["jobs"][0]["state"] == "cancelled", "{cancelled:#}");
    eventually("its worker has stopped", PATIENCE, async || {
        the_job(&site, &stopped).await.is_ok_and(|job| job.worker.is_none())
    })
    .await?;
    ensure!(!jobs(&site, &["cancel", &id])?.0, "it is over");
    let (_, again) = jobs(&site, &["retry", &id])?;
    ensure!(again["jobs"][0]["state"] == "queued", "{again:#}");
    job_is(&site, &stopped, JobState::Done).await?;
    ensure!(the_job(&site, &stopped).await?.attempt == 2, "attempts go on counting");
    Ok(())
}
