//! Lanes: workers take jobs of theirs alone, what nobody serves waits and is told of, and one process serves everything.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use reelgate_e2e::{
    client::{Client, Upload},
    film::Film,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(240);

/// A short film, a longer one, and as `[lanes]` a limit between them.
fn two_films(folder: &Folder) -> Result<(PathBuf, PathBuf, String)> {
    let film = |name: &str, seconds| {
        let made = Film { width: 320, height: 240, seconds, ..Film::default() }.make(folder.path())?;
        let path = folder.path().join(name);
        std::fs::rename(made, &path)?;
        anyhow::Ok(path)
    };
    let (short, long) = (film("short.mp4", 1)?, film("long.mp4", 8)?);
    let limit = std::fs::metadata(&short)?.len();
    ensure!(std::fs::metadata(&long)?.len() > limit, "the longer film is not larger");
    Ok((short, long, limit.to_string()))
}

async fn upload(client: &Client, film: &PathBuf) -> Result<String> {
    client.upload_one(Upload::file("film.mp4", "video/mp4", film)).await
}

/// Lane, state and worker of a file's job.
async fn job(client: &Client, file: &str) -> Result<Value> {
    let jobs = client.get(&format!("/v1/jobs?file_id={file}")).await?.expect(200)?.json()?;
    Ok(jobs["jobs"][0].clone())
}

async fn scaling(site: &Site, query: &str) -> Result<Value> {
    Client::new(site.gateways[0].ops_url()).get(&format!("/scaling{query}")).await?.expect(200)?.json()
}

fn start_worker(site: &mut Site, lanes: &str) -> Result<()> {
    site.set_env("REELGATE__WORKER__LANES", lanes);
    site.start_worker()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_run_what_is_of_their_lanes_and_an_unserved_lane_waits_and_is_told_of() -> Result<()> {
    let folder = Folder::new("lanes")?;
    let (short, long, limit) = two_films(&folder)?;
    let builder = Site::builder(Footing::Production).workers(0).env("REELGATE__LANES__LARGE_ABOVE_BYTES", limit);
    let mut site = builder.start().await?;
    let client = site.client().signed_in(SignIn::admin("alice", "acme").jwt());
    start_worker(&mut site, "small")?;

    let large = upload(&client, &long).await?;
    let small = upload(&client, &short).await?;
    eventually("the small one is done", LONG, async || {
        job(&client, &small).await.is_ok_and(|job| job["state"] == "done")
    })
    .await?;
    ensure!(job(&client, &small).await?["lane"] == "small");
    let waits = job(&client, &large).await?;
    ensure!(
        (&waits["lane"], &waits["state"], &waits["attempt"]) == (&json!("large"), &json!("queued"), &json!(0)),
        "{waits}"
    );
    let told = scaling(&site, "").await?;
    ensure!((&told["unserved"], &told["lanes"]["large"]["slots"]) == (&json!(["large"]), &json!(0)), "{told}");
    ensure!(
        (&scaling(&site, "?lane=large").await?["load"], &scaling(&site, "?lane=small").await?["load"])
            == (&json!(1), &json!(0))
    );
    Client::new(site.gateways[0].ops_url()).get("/scaling?lane=huge").await?.expect(422)?;

    start_worker(&mut site, "large")?;
    eventually("the large one is done", LONG, async || {
        job(&client, &large).await.is_ok_and(|job| job["state"] == "done")
    })
    .await?;
    // Both live now, and each goes on with its own.
    let (again, also) = (upload(&client, &long).await?, upload(&client, &short).await?);
    for file in [&again, &also] {
        eventually("it is done", LONG, async || job(&client, file).await.is_ok_and(|job| job["state"] == "done"))
            .await?;
    }
    let by = async |file: &str| anyhow::Ok(worker_of(&client, file).await?);
    ensure!(by(&small).await? == by(&also).await? && by(&large).await? == by(&again).await?);
    ensure!(by(&small).await? != by(&large).await?);
    ensure!(scaling(&site, "").await?["unserved"] == json!([]));
    Ok(())
}

/// Who ran a job that is over.
async fn worker_of(client: &Client, file: &str) -> Result<Value> {
    let id = job(client, file).await?["id"].as_str().unwrap().to_owned();
    let explained = client.get(&format!("/v1/jobs/{id}")).await?.expect(200)?.json()?;
    Ok(explained["attempts"][0]["worker"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_serves_every_lane() -> Result<()> {
    let folder = Folder::new("lanes")?;
    let (short, long, limit) = two_films(&folder)?;
    let builder = Site::builder(Footing::Embedded)
        .env("REELGATE__LANES__LARGE_ABOVE_BYTES", limit)
        .env("REELGATE__LANES__GPU", "true")
        // Of a file that workers have, too.
        .env("REELGATE__WORKER__LANES", "small");
    let site = builder.start().await?;
    let client = site.client().signed_in(SignIn::admin("alice", "acme").jwt());
    for (film, lane) in [(&short, "small"), (&long, "gpu")] {
        let file = upload(&client, film).await?;
        ensure!(job(&client, &file).await?["lane"] == lane);
        eventually("it is done", LONG, async || job(&client, &file).await.is_ok_and(|job| job["state"] == "done"))
            .await?;
    }
    Ok(())
}
