//! Earned renditions: a film starts with what plays everywhere; views pull in further sizes and codecs, and what nobody is shown any more
//! is dropped and comes again with the next views.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    ids::OrgId,
    job::{JobKind, JobRecord, JobState},
};
use reelgate_e2e::{
    client::{Client, Upload},
    left_over::{NO_GRACE, left_over},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(240);
const RATE: usize = 25;

super::on_both_footings!(
    a_film_is_watched_for_more_goes_cold_and_is_made_again,
    without_the_policy_all_is_made_and_nothing_is_counted,
    a_worker_that_dies_while_it_makes_what_was_earned_costs_nothing,
    what_is_deleted_while_it_earns_leaves_nothing,
);

/// A film that browsers do not play as it is.
fn film(folder: &Folder, seconds: usize) -> Result<PathBuf> {
    let path = folder.path().join("film.mkv");
    let picture = format!("testsrc2=size=640x360:rate={RATE}:duration={seconds}");
    let sound = format!("sine=frequency=440:duration={seconds}");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-c:a", "libopus"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make a film");
    Ok(path)
}

/// 144 lines at once, 240 and 360 after two views, AV1 after six. What is cold is so after ten seconds.
fn earning(builder: Builder) -> Builder {
    let settings = [
        ("EARNED__ENABLED", "true"),
        ("EARNED__START_RUNGS", "144"),
        ("EARNED__RUNGS_AFTER_VIEWS", "2"),
        ("EARNED__CODECS_AFTER_VIEWS", "6"),
        ("EARNED__WINDOW_MS", "10000"),
        ("EARNED__COLD_AFTER_MS", "10000"),
        ("EARNED__TOUCH_MS", "500"),
        ("EARNED__LOOK_MS", "200"),
        ("EARNED__GRACE_MS", "0"),
        ("LEASES__IDLE_MS", "2000"),
        ("LEASES__TOUCH_MS", "500"),
    ];
    laddered(settings.into_iter().fold(builder, |builder, (key, value)| builder.env(format!("REELGATE__{key}"), value)))
}

fn laddered(builder: Builder) -> Builder {
    [("RUNGS", "360,240,144"), ("CODECS", "av1"), ("PREVIEW", "false"), ("STORYBOARD", "false")]
        .into_iter()
        .fold(builder, |builder, (key, value)| builder.env(format!("REELGATE__LADDER__{key}"), value))
}

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::admin("alice", "acme").jwt())
}

/// What of it plays, in the order of their names.
fn videos(info: &Value) -> Vec<String> {
    let renditions = info["renditions"].as_array().cloned().unwrap_or_default();
    let videos = renditions.iter().filter(|rendition| rendition["kind"] == "video");
    let mut names: Vec<String> = videos.filter_map(|video| Some(video["name"].as_str()?.to_owned())).collect();
    names.sort();
    names
}

async fn uploaded(site: &Site, folder: &Folder, seconds: usize) -> Result<(Client, String)> {
    let alice = alice(site);
    let path = film(folder, seconds)?;
    let file = alice.upload_one(Upload::file("film.mkv", "video/x-matroska", path)).await?;
    let info = alice.wait_settled(&file, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info:#}");
    Ok((alice, file))
}

/// Opens a lease: each token has one of its own.
async fn view(client: &Client, file: &str) -> Result<()> {
    let token = client.stream_token(&json!({})).await?;
    client.get(&format!("/v1/files/stream/{file}?token={token}")).await?.expect(200)?;
    Ok(())
}

async fn cost(client: &Client, file: &str) -> Result<Value> {
    client.get(&format!("/v1/files/{file}/cost")).await?.expect(200)?.json()
}

async fn master(client: &Client, file: &str) -> Result<String> {
    let token = client.stream_token(&json!({})).await?;
    let answer = client.get(&format!("/v1/files/stream/{file}/master.m3u8?token={token}")).await?.expect(200)?;
    Ok(String::from_utf8(answer.body.to_vec())?)
}

/// All pictures of a rendition, as a player decodes them.
async fn pictures(client: &Client, file: &str, rendition: &str, folder: &Folder) -> Result<usize> {
    let token = client.stream_token(&json!({})).await?;
    let answer = client.get(&format!("/v1/files/stream/{file}?token={token}&rendition={rendition}")).await?;
    let path = folder.path().join(format!("{rendition}.mp4"));
    std::fs::write(&path, &answer.expect(200)?.body)?;
    let counted = tokio::task::spawn_blocking(move || {
        let entries = ["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"];
        Command::new("ffprobe").args(["-v", "error", "-select_streams", "v:0"]).args(entries).arg(path).output()
    });
    let out = counted.await??;
    ensure!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8(out.stdout)?.trim().trim_end_matches(',').parse()?)
}

async fn earn_job(site: &Site, file: &str) -> Result<Option<JobRecord>> {
    let jobs = site.database().await?.jobs_of(&OrgId::new("acme"), file.parse()?).await?;
    Ok(jobs.into_iter().find(|job| job.kind == JobKind::Earn))
}

/// Watches until the job that makes what was earned runs.
async fn until_it_earns(site: &Site, client: &Client, file: &str) -> Result<()> {
    view(client, file).await?;
    view(client, file).await?;
    eventually("what was earned is being made", PATIENCE, async || {
        earn_job(site, file).await.is_ok_and(|job| job.is_some_and(|job| job.state == JobState::Running))
    })
    .await
    .with_context(|| site.output())
}

async fn nothing_left_over(site: &Site, file: &str) -> Result<()> {
    let db = site.database().await?;
    let clean = async || {
        let row = db.find_file(&OrgId::new("acme"), file.parse()?).await?.context("no file")?;
        left_over(site, &row).await
    };
    eventually("nothing is left over", PATIENCE, async || clean().await.is_ok_and(|left| left.is_empty()))
        .await
        .with_context(|| site.output())
}

async fn a_film_is_watched_for_more_goes_cold_and_is_made_again(footing: Footing) -> Result<()> {
    let (folder, seconds) = (Folder::new("earned")?, 4);
    let site = earning(Site::builder(footing)).start().await?;
    let (alice, file) = uploaded(&site, &folder, seconds).await?;
    assert_eq!(videos(&alice.info(&file).await?), ["144p"], "what plays everywhere");
    let page = alice.get(&format!("/v1/jobs?file_id={file}")).await?.expect(200)?.json()?;
    let job = page["jobs"][0]["id"].as_str().context("no job")?.to_owned();
    let explained = alice.get(&format!("/v1/jobs/{job}")).await?.expect(200)?.json()?;
    let reasons = explained["plan"]["reasons"].to_string();
    ensure!(reasons.contains("360p later") && reasons.contains("watched 2 times"), "{reasons}");
    ensure!(reasons.contains("360p-av1 later") && reasons.contains("watched 6 times"), "{reasons}");
    let token = alice.stream_token(&json!({})).await?;
    let early = alice.get(&format!("/v1/files/stream/{file}?token={token}&rendition=360p")).await?.expect(404)?;
    assert_eq!(early.code(), "rendition_not_found");

    // Sizes first.
    view(&alice, &file).await?;
    view(&alice, &file).await?;
    let has = |info: &Value, name: &str| videos(info).iter().any(|video| video == name);
    alice
        .wait_until(&file, PATIENCE, |info| has(info, "360p") && has(info, "240p"))
        .await
        .with_context(|| site.output())?;
    let whole = seconds * RATE;
    assert_eq!(pictures(&alice, &file, "360p", &folder).await?, whole);
    let info = alice.info(&file).await?;
    ensure!(info["state"] == "ready" && info["progress"] == 1.0, "{info:#}");
    let text = master(&alice, &file).await?;
    ensure!(text.contains("/360p/") && text.contains("/240p/") && text.contains("/144p/"), "{text}");

    // Codecs, when it goes on being watched.
    let watched = async || {
        view(&alice, &file).await?;
        let names = videos(&alice.info(&file).await?);
        Ok::<_, anyhow::Error>(
            ["360p-av1", "240p-av1", "144p-av1"].iter().all(|name| names.iter().any(|it| it == name)),
        )
    };
    eventually("the codecs are there", PATIENCE, async || watched().await.unwrap_or(false))
        .await
        .with_context(|| site.output())?;
    assert_eq!(pictures(&alice, &file, "360p-av1", &folder).await?, whole);
    let text = master(&alice, &file).await?;
    ensure!(text.contains("/360p-av1/") && text.contains("av01"), "{text}");
    let said = cost(&alice, &file).await?;
    let of = |said: &Value, name: &str| {
        let all = said["renditions"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|rendition| rendition["name"] == name).unwrap_or_default()
    };
    ensure!(of(&said, "360p")["earned"] == true && of(&said, "144p")["earned"] == false, "{said:#}");
    ensure!(of(&said, "360p")["last_used_at"].is_string() && of(&said, "144p")["last_used_at"].is_null(), "{said:#}");
    ensure!(said["views"]["total"].as_u64() >= Some(6) && said["worker_ms"].as_u64() > Some(0), "{said:#}");
    ensure!(said["stored_bytes"].as_u64() > said["source_bytes"].as_u64(), "{said:#}");
    nothing_left_over(&site, &file).await?;

    // Nobody watches any more. Whoever has an old playlist is told, and what was there from the start plays.
    alice.wait_until(&file, PATIENCE, |info| videos(info) == ["144p"]).await.with_context(|| site.output())?;
    nothing_left_over(&site, &file).await?;
    eventually("rows are remembered for two seconds", PATIENCE, async || {
        master(&alice, &file).await.is_ok_and(|text| !text.contains("/360p/"))
    })
    .await?;
    let text = master(&alice, &file).await?;
    let listed =
        text.lines().find(|line| line.contains("/144p/") && !line.starts_with('#')).context("nothing is listed")?;
    let gone = format!("/v1/files/stream/{file}/{}", listed.replace("/144p/", "/360p/"));
    assert_eq!(alice.get(&gone).await?.expect(404)?.code(), "segment_not_found");
    let dropped = alice.get(&format!("/v1/files/stream/{file}?token={token}&rendition=360p")).await?;
    ensure!(dropped.status == 404 || dropped.status == 401, "{}", dropped.status);
    assert_eq!(pictures(&alice, &file, "144p", &folder).await?, whole);

    // And again.
    let again = async || {
        view(&alice, &file).await?;
        Ok::<_, anyhow::Error>(has(&alice.info(&file).await?, "360p"))
    };
    eventually("it is made again", PATIENCE, async || again().await.unwrap_or(false))
        .await
        .with_context(|| site.output())?;
    assert_eq!(pictures(&alice, &file, "360p", &folder).await?, whole);
    Ok(())
}

async fn without_the_policy_all_is_made_and_nothing_is_counted(footing: Footing) -> Result<()> {
    let folder = Folder::new("earned")?;
    let site = laddered(Site::builder(footing)).start().await?;
    let (alice, file) = uploaded(&site, &folder, 2).await?;
    let all = ["144p", "144p-av1", "240p", "240p-av1", "360p", "360p-av1"];
    assert_eq!(videos(&alice.info(&file).await?), all);
    for _ in 0..4 {
        view(&alice, &file).await?;
    }
    let said = cost(&alice, &file).await?;
    ensure!(said["views"]["total"] == 0 && said["earned_worker_ms"] == 0, "{said:#}");
    let earned = said["renditions"].as_array().context("renditions")?.iter().filter(|it| it["earned"] == true);
    ensure!(earned.count() == 0 && earn_job(&site, &file).await?.is_none(), "{said:#}");
    Ok(())
}

async fn a_worker_that_dies_while_it_makes_what_was_earned_costs_nothing(footing: Footing) -> Result<()> {
    let folder = Folder::new("earned")?;
    let builder =
        NO_GRACE.iter().fold(earning(Site::builder(footing)), |builder, (key, value)| builder.env(*key, *value));
    // What is made here is not to go again while it is looked at.
    let builder = builder.env("REELGATE__EARNED__COLD_AFTER_MS", "600000").env("REELGATE__LADDER__PRESET", "slow");
    let mut site = builder.start().await?;
    let (alice, file) = uploaded(&site, &folder, 24).await?;
    until_it_earns(&site, &alice, &file).await?;
    match footing {
        Footing::Embedded => site.restart_gateway(0).await?,
        Footing::Production => {
            site.workers[0].kill()?;
            site.relaunch_worker(0)?;
        }
    }
    let made = |info: &Value| videos(info) == ["144p", "240p", "360p"];
    let info = alice.wait_until(&file, PATIENCE, made).await.with_context(|| site.output())?;
    ensure!(info["state"] == "ready" && info["failure"].is_null(), "{info:#}");
    eventually("its job is done", PATIENCE, async || {
        earn_job(&site, &file).await.is_ok_and(|job| job.is_some_and(|job| job.state == JobState::Done))
    })
    .await?;
    let job = earn_job(&site, &file).await?.context("no job")?;
    ensure!(job.attempt >= 2 && job.losses == 1, "{job:#?}");
    nothing_left_over(&site, &file).await
}

async fn what_is_deleted_while_it_earns_leaves_nothing(footing: Footing) -> Result<()> {
    let folder = Folder::new("earned")?;
    let site = earning(Site::builder(footing)).env("REELGATE__LADDER__PRESET", "slow").start().await?;
    let (alice, file) = uploaded(&site, &folder, 24).await?;
    until_it_earns(&site, &alice, &file).await?;
    alice.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    let db = site.database().await?;
    eventually("nothing of it is left", PATIENCE, async || {
        let rows = db.jobs_of(&OrgId::new("acme"), file.parse().unwrap()).await;
        rows.is_ok_and(|rows| rows.is_empty())
            && site.stored("media/").await.is_ok_and(|keys| keys.is_empty())
            && site.stored("staging/").await.is_ok_and(|keys| keys.is_empty())
    })
    .await
    .with_context(|| site.output())
}
