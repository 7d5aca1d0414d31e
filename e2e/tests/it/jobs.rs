//! Jobs as people see them: films that are copied and why, films that cannot be, what every attempt leaves behind, and running
//! one again or stopping it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Method;
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(180);
const SHORT_GOP: [&str; 8] = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50"];

fn ffmpeg(arguments: &[&str], out: &Path) -> Result<()> {
    let status = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).arg(out).status()?;
    ensure!(status.success(), "ffmpeg could not make {}", out.display());
    Ok(())
}

/// A film with sound.
fn film(folder: &Folder, name: &str, size: &str, seconds: u32, codecs: &[&str]) -> Result<PathBuf> {
    let path = folder.path().join(name);
    let picture = format!("testsrc2=size={size}:rate=25:duration={seconds}");
    let sound = format!("sine=frequency=440:duration={seconds}");
    let inputs = ["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
    ffmpeg(&[&inputs, codecs].concat(), &path)?;
    Ok(path)
}

/// The hashes of a track's packets.
fn packets(path: &Path, track: &str) -> Result<Vec<String>> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-map", track, "-c", "copy", "-f", "framemd5", "-"])
        .output()?;
    let text = String::from_utf8(out.stdout)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines.filter_map(|line| Some(line.rsplit(',').next()?.trim().to_owned())).collect())
}

struct People {
    owner: Client,
    colleague: Client,
    admin: Client,
}

impl People {
    fn of(site: &Site) -> Self {
        let client = |who: SignIn| site.client().signed_in(who.jwt());
        Self {
            owner: client(SignIn::member("alice", "acme")),
            colleague: client(SignIn::member("bob", "acme")),
            admin: client(SignIn::admin("carol", "acme")),
        }
    }

    async fn upload(&self, path: &Path) -> Result<String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.owner.upload_one(Upload::file(name, "application/octet-stream", path)).await
    }

    /// The file when all is made, and its job explained.
    async fn made(&self, file: &str) -> Result<(Value, Value)> {
        let info = self.owner.wait_until(file, PATIENCE, |info| info["progress"] == 1.0 || info["state"] == "failed");
        let info = info.await?;
        ensure!(info["state"] == "ready", "{info:#}");
        // Everything is published a moment before the job is done, and its attempt is closed a moment after.
        let closed =
            |job: &Value| job["attempts"].as_array().unwrap().iter().all(|attempt| attempt["ended_at"].is_string());
        let done = async || self.explain(file).await.is_ok_and(|job| job["state"] != "running" && closed(&job));
        eventually("the job is done", PATIENCE, done).await?;
        Ok((info, self.explain(file).await?))
    }

    async fn job(&self, file: &str) -> Result<String> {
        let page = self.admin.get(&format!("/v1/jobs?file_id={file}")).await?.expect(200)?.json()?;
        Ok(page["jobs"][0]["id"].as_str().context("no job")?.to_owned())
    }

    async fn explain(&self, file: &str) -> Result<Value> {
        let job = self.job(file).await?;
        self.owner.get(&format!("/v1/jobs/{job}")).await?.expect(200)?.json()
    }

    async fn download(&self, file: &str, rendition: &str, folder: &Folder) -> Result<PathBuf> {
        let token = self.owner.stream_token(&json!({})).await?;
        let answer = self.owner.get(&format!("/v1/files/stream/{file}?token={token}&rendition={rendition}")).await?;
        let path = folder.path().join(format!("{file}-{rendition}.mp4"));
        std::fs::write(&path, &answer.expect(200)?.body)?;
        Ok(path)
    }

    /// The videos that the master playlist offers.
    async fn variants(&self, file: &str) -> Result<usize> {
        let token = self.owner.stream_token(&json!({})).await?;
        let master =
            self.owner.get(&format!("/v1/files/stream/{file}/master.m3u8?token={token}")).await?.expect(200)?;
        Ok(String::from_utf8_lossy(&master.body).matches("#EXT-X-STREAM-INF").count())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_need_not_be_encoded_is_copied_and_the_job_says_why_embedded() -> Result<()> {
    check_copies(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_need_not_be_encoded_is_copied_and_the_job_says_why_production() -> Result<()> {
    check_copies(Footing::Production).await
}

async fn check_copies(footing: Footing) -> Result<()> {
    let (site, folder) = (Site::start(footing).await?, Folder::new("copies")?);
    let people = People::of(&site);
    let fragments = ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"];
    for (name, size, codecs, sound) in [
        ("a.mkv", "854x480", &["-c:a", "aac"][..], "copy"),
        ("a.ts", "640x360", &["-c:a", "aac"], "copy"),
        ("a.flv", "640x360", &["-c:a", "aac"], "copy"),
        ("fragments.mp4", "640x360", &fragments, "copy"),
        ("ac3.mkv", "854x480", &["-c:a", "ac3"], "encode"),
        ("opus.mp4", "640x360", &["-c:a", "libopus"], "encode"),
    ] {
        let source = film(&folder, name, size, 5, &[&SHORT_GOP[..], codecs].concat())?;
        let file = people.upload(&source).await?;
        let (info, job) = people.made(&file).await?;
        let plan = &job["plan"];
        ensure!(plan["rungs"][0]["video"]["step"] == "copy", "{name}: {plan:#}");
        ensure!(plan["audio"][0]["step"]["step"] == sound, "{name}: {plan:#}");
        ensure!(!info["media"]["reasons"][0]["code"].is_null(), "{name}: {info:#}");
        check_explained(name, "h264", &job)?;
        let rung = plan["rungs"][0]["name"].as_str().unwrap();
        let made = people.download(&file, rung, &folder).await?;
        let reference = folder.path().join(format!("{name}.mp4"));
        ffmpeg(&["-i", source.to_str().unwrap(), "-c", "copy"], &reference)?;
        ensure!(packets(&made, "0:v")? == packets(&reference, "0:v")?, "{name}: other pictures");
        if sound == "copy" {
            ensure!(packets(&made, "0:a")? == packets(&reference, "0:a")?, "{name}: other sound");
        }
        // Encoded once, lent to what is encoded.
        for below in plan["rungs"].as_array().unwrap()[1..].iter().filter_map(|rung| rung["name"].as_str()) {
            let below = people.download(&file, below, &folder).await?;
            ensure!(packets(&below, "0:a")? == packets(&made, "0:a")?, "{name}: other sound below");
        }
        let rungs = plan["rungs"].as_array().unwrap().len();
        ensure!(people.variants(&file).await? == rungs, "{name}: not every rung can be cut");
    }
    Ok(())
}

/// Facts, attempts, peak memory.
fn check_explained(name: &str, codec: &str, job: &Value) -> Result<()> {
    ensure!(job["state"] == "done" && job["progress"] == 1.0, "{name}: {job:#}");
    ensure!(job["facts"]["video"]["codec"] == codec, "{name}: {job:#}");
    ensure!(job["plan"]["reasons"].as_array().is_some_and(|reasons| reasons.len() > 2), "{name}: {job:#}");
    let attempt = &job["attempts"][0];
    ensure!(attempt["outcome"] == "finished" && attempt["ended_at"].is_string(), "{name}: {job:#}");
    ensure!(attempt["peak_memory_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{name}: {job:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_only_its_packets_vouch_for_is_explained_as_it_was_made_embedded() -> Result<()> {
    check_settled_sound(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_only_its_packets_vouch_for_is_explained_as_it_was_made_production() -> Result<()> {
    check_settled_sound(Footing::Production).await
}

async fn check_settled_sound(footing: Footing) -> Result<()> {
    let (site, folder) = (Site::start(footing).await?, Folder::new("settled")?);
    let people = People::of(&site);
    let (gap, late) = ("aselect='not(between(t,1,2))'", "aselect='gte(t,1)'");
    for (name, filter, step, what, why) in [
        ("steady.mkv", "anull", "copy", "audio is copied", "goes on without a gap"),
        ("gap.mkv", gap, "encode", "audio is not copied but encoded", "it has a gap"),
        ("late.mkv", late, "encode", "audio is not copied but encoded", "it does not begin with the film"),
    ] {
        let source = film(&folder, name, "320x180", 4, &["-c:v", "mpeg4", "-af", filter, "-c:a", "aac"])?;
        let file = people.upload(&source).await?;
        let (_, job) = people.made(&file).await?;
        let plan = &job["plan"];
        ensure!(plan["audio"][0]["step"]["step"] == step, "{name}: {plan:#}");
        let said = plan["reasons"].as_array().unwrap().iter().find(|choice| choice["what"] == what);
        ensure!(
            said.is_some_and(|said| said["why"].as_str().is_some_and(|said| said.contains(why))),
            "{name}: {plan:#}"
        );
        let rung = plan["rungs"][0]["name"].as_str().unwrap();
        let made = people.download(&file, rung, &folder).await?;
        let copied = packets(&made, "0:a")? == packets(&source, "0:a")?;
        ensure!(copied == (step == "copy"), "{name}: the sound was not made as the job says");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_cannot_be_cut_is_encoded_after_all() -> Result<()> {
    let (site, folder) = (Site::start(Footing::Embedded).await?, Folder::new("gop")?);
    let people = People::of(&site);
    // One key frame in 13 seconds, which only the packets tell.
    let codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "9999", "-sc_threshold", "0", "-c:a", "aac"];
    let file = people.upload(&film(&folder, "long-gop.mkv", "320x180", 13, &codecs)?).await?;
    let (_, job) = people.made(&file).await?;
    let plan = &job["plan"];
    ensure!(plan["rungs"][0]["video"]["step"] == "encode", "{plan:#}");
    let said = plan["reasons"].as_array().unwrap();
    let why = said.iter().find(|it| it["what"].as_str().is_some_and(|what| what.contains("not copied but encoded")));
    ensure!(why.is_some_and(|why| why["why"].as_str().is_some_and(|why| why.contains("every 1"))), "{plan:#}");
    ensure!(people.variants(&file).await? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_film_that_cannot_play_has_one_small_rung_before_the_rest_embedded() -> Result<()> {
    check_first(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_film_that_cannot_play_has_one_small_rung_before_the_rest_production() -> Result<()> {
    check_first(Footing::Production).await
}

async fn check_first(footing: Footing) -> Result<()> {
    // How far a job is reaches the database with each heartbeat.
    let site = Site::builder(footing).env("REELGATE__JOBS__HEARTBEAT_MS", "100").start().await?;
    let folder = Folder::new("first")?;
    let people = People::of(&site);
    let long = folder.path().join("long.avi");
    let picture = "testsrc2=size=800x600:rate=10:duration=125";
    ffmpeg(&["-f", "lavfi", "-i", picture, "-c:v", "mpeg4", "-q:v", "9"], &long)?;
    let file = people.upload(&long).await?;
    let playable = |info: &Value| {
        let videos = info["renditions"].as_array().into_iter().flatten().filter(|made| made["kind"] == "video");
        videos.filter_map(|made| made["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let info = people.owner.wait_until(&file, PATIENCE, |info| info["state"] == "ready").await?;
    ensure!(playable(&info) == ["480p"] && info["progress"].as_f64().is_some_and(|part| part < 1.0), "{info:#}");
    check_pace(&people, &file).await?;
    people.download(&file, "480p", &folder).await?;
    let (info, job) = people.made(&file).await?;
    check_explained("long.avi", "mpeg4", &job)?;
    ensure!(job["speed"].is_null() && job["time_left_ms"].is_null(), "{job:#}");
    ensure!(job["plan"]["first"] == "480p", "{job:#}");
    let mut names = playable(&info);
    names.sort();
    ensure!(names == ["360p", "480p", "600p"], "{info:#}");
    // Each was made once, in one attempt.
    ensure!(job["attempts"].as_array().is_some_and(|attempts| attempts.len() == 1), "{job:#}");
    Ok(())
}

/// While it runs it says how fast it is and how long it will take, and the two agree.
async fn check_pace(people: &People, file: &str) -> Result<()> {
    let mut job = Value::Null;
    eventually("a running job tells its pace", PATIENCE, async || {
        job = people.explain(file).await.unwrap_or_default();
        job["state"] == "done" || job["speed"].is_number()
    })
    .await?;
    ensure!(job["state"] == "running", "{job:#}");
    let (speed, left) = (job["speed"].as_f64().unwrap(), job["time_left_ms"].as_f64().unwrap());
    let (progress, length) = (job["progress"].as_f64().unwrap(), job["facts"]["duration_ms"].as_f64().unwrap());
    let rest = (1.0 - progress) * length;
    ensure!(progress > 0.0 && speed > 0.0 && (speed * left - rest).abs() < rest / 10.0, "{job:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_leaves_its_reason_and_last_words() -> Result<()> {
    let (site, folder) = (Site::start(Footing::Embedded).await?, Folder::new("failed-job")?);
    let people = People::of(&site);
    let path = folder.path().join("broken.mp4");
    std::fs::write(&path, [&b"\0\0\0\x18ftypisom\0\0\0\0isommp42"[..], &[7; 4096]].concat())?;
    let file = people.owner.upload_one(Upload::file("broken.mp4", "video/mp4", path)).await?;
    people.owner.wait_until(&file, PATIENCE, |info| info["state"] == "failed").await?;
    let job = people.explain(&file).await?;
    ensure!(job["state"] == "dead", "{job:#}");
    let attempt = &job["attempts"][0];
    ensure!(attempt["outcome"] == "failed" && attempt["error"]["code"] == job["last_error"]["code"], "{job:#}");
    ensure!(attempt["error"]["message"].as_str().is_some_and(|said| !said.is_empty()), "{job:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_stopped_and_run_again_by_those_who_may() -> Result<()> {
    let site = Site::builder(Footing::Production).workers(0).start().await?;
    let folder = Folder::new("cancel")?;
    let people = People::of(&site);
    let film = film(&folder, "a.mkv", "320x180", 1, &["-c:v", "mpeg4", "-c:a", "aac"])?;
    let file = people.upload(&film).await?;
    let job = people.job(&file).await?;
    let cancel = format!("/v1/jobs/{job}/cancel");
    ensure!(post(&people.owner, &cancel).await?.expect(403)?.code() == "not_admin");
    let cancelled = post(&people.admin, &cancel).await?.expect(200)?.json()?;
    ensure!(cancelled["state"] == "cancelled", "{cancelled:#}");
    ensure!(post(&people.admin, &cancel).await?.expect(409)?.code() == "job_over");
    let info = people.owner.info(&file).await?;
    ensure!(info["state"] == "failed" && info["failure"]["code"] == "cancelled", "{info:#}");
    let retry = format!("/v1/files/{file}/retry");
    ensure!(post(&people.colleague, &retry).await?.expect(403)?.code() == "not_owner");
    let again = post(&people.owner, &retry).await?.expect(200)?.json()?;
    ensure!(again["id"] == job.as_str() && again["state"] == "queued", "{again:#}");
    ensure!(people.owner.info(&file).await?["state"] == "staged");
    ensure!(post(&people.owner, &retry).await?.expect(409)?.code() == "not_retryable");
    Ok(())
}

async fn post(client: &Client, path: &str) -> Result<Answer> {
    client.send(Method::POST, path, &[], Bytes::new()).await
}
