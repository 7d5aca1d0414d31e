//! No room on the worker's disk, a Redis that hangs, a Redis that throws things away, no room for an embedded server's data: faults 9, 10 and 28 of docs/faults.md.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::join_all;
use reelgate_e2e::{
    client::{Client, Upload},
    disk::Disk,
    process::{Folder, eventually},
    proxied::Proxied,
    proxy::Link,
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::Value;

use super::foreign_clip;

const PATIENCE: Duration = Duration::from_secs(60);

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", "acme").jwt())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_room_fails_the_file_by_name_and_goes_on_when_there_is_room() -> Result<()> {
    let builder = Site::builder(Footing::Production).workers(0).env("REELGATE__JOBS__MAX_FAILURES", "2");
    let mut site = builder.env("REELGATE__LADDER__RUNGS", "144").start().await?;
    let Some(disk) = Disk::mount(site.scratch().as_ref(), 16)? else {
        println!("left out: mounting a small disk is not permitted here");
        return Ok(());
    };
    let folder = Folder::new("starved")?;
    let client = alice(&site);
    site.start_worker()?;
    eventually("the worker has its folder", PATIENCE, async || folders(&site.scratch()) == 1).await?;
    disk.fill()?;
    let file = client.upload_one(Upload::file("film.mkv", "video/x-matroska", foreign_clip(&folder)?)).await?;
    let info = client.wait_settled(&file, PATIENCE).await.with_context(|| site.output())?;
    assert_eq!((&info["state"], &info["failure"]["code"]), (&"failed".into(), &"disk_full".into()), "{info}");
    assert_eq!(info["failure"]["retryable"], true);
    assert!(site.workers[0].is_running());

    disk.relieve()?;
    client.post_json(&format!("/v1/files/{file}/retry"), &Value::Null).await?.expect(200)?;
    let info = client
        .wait_until(&file, PATIENCE, |info| info["state"] == "ready" && info["progress"] == 1.0)
        .await
        .with_context(|| site.output())?;
    assert_eq!(info["state"], "ready", "{info}");
    let worker =
        std::fs::read_dir(site.scratch())?.flatten().find(|entry| entry.path().is_dir()).context("its folder")?;
    eventually("no attempt has a folder", PATIENCE, async || folders(&worker.path().to_string_lossy()) == 0).await?;
    Ok(())
}

/// Database and objects share it. What is there is served on, nothing of what did not fit is left, and when there is room all goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_without_room_says_so_serves_on_and_goes_on_when_there_is_room() -> Result<()> {
    let mut site = Site::start(Footing::Embedded).await?;
    // Its own folder, not yet on that disk: it starts again there, with nothing.
    site.gateways[0].process.kill()?;
    let Some(disk) = Disk::mount(&site.data_folder(), 48)? else {
        println!("left out: mounting a small disk is not permitted here");
        return Ok(());
    };
    site.restart_gateway(0).await?;
    let client = alice(&site);
    let before = client.upload_one(Upload::text("before.txt", "before")).await?;
    disk.fill()?;
    for _ in 0..5 {
        let large = || Upload::bytes("large.bin", "application/octet-stream", vec![7; 1 << 20]);
        for refusal in join_all((0..8).map(|_| client.post_files("/v1/files", vec![large()]))).await {
            let refusal = refusal?.expect(507)?;
            assert!(["storage_full", "database_full"].contains(&refusal.code().as_str()), "{}", refusal.code());
        }
        assert_eq!(client.get(&format!("/v1/files/{before}")).await?.expect(200)?.body, "before");
    }
    disk.relieve()?;
    let mut after = None;
    eventually("an upload is stored again", PATIENCE, async || {
        after = client.upload_one(Upload::text("after.txt", "after")).await.ok();
        after.is_some()
    })
    .await
    .with_context(|| site.output())?;
    eventually("nothing of what did not fit is left", PATIENCE, async || {
        let listed = client.get("/v1/files").await.ok().and_then(|answer| answer.json().ok()).unwrap_or_default();
        let states = listed["files"].as_array().into_iter().flatten().map(|file| file["state"].clone());
        let (states, stored) = (states.collect::<Vec<_>>(), site.stored("").await.unwrap_or_default());
        let files = stored.iter().filter(|key| key.contains("acme")).count();
        !states.is_empty() && states.iter().all(|state| state == "ready") && files == states.len()
    })
    .await
    .with_context(|| site.output())?;
    // What was answered was committed, too.
    site.restart_gateway(0).await?;
    let after = after.context("just stored")?;
    assert_eq!(client.get(&format!("/v1/files/{after}")).await?.expect(200)?.body, "after");
    Ok(())
}

fn folders(path: &str) -> usize {
    std::fs::read_dir(path).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_delays_nobody_and_readiness_names_it() -> Result<()> {
    let at = Proxied::start(&[]).await?;
    let client = alice(&at.site);
    let before = client.upload_one(Upload::text("before.txt", "before")).await?;
    at.redis.set(Link::Hanging);
    let after = client.upload_one(Upload::text("after.txt", "after")).await?;
    for (file, text) in [(before, "before"), (after, "after")] {
        assert_eq!(client.get(&format!("/v1/files/{file}")).await?.expect(200)?.body, text);
    }
    let ready = Client::new(at.site.gateways[0].ops_url()).get("/readyz").await?.expect(200)?.json()?;
    let ok = |name: &str| ready["checks"][name]["ok"].as_bool();
    assert_eq!((ok("queue"), ok("database"), ok("storage")), (Some(false), Some(true), Some(true)), "{ready}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_may_evict_is_warned_of() -> Result<()> {
    let mut site = Site::builder(Footing::Production).gateways(0).workers(0).start().await?;
    let answer = site.services()?.redis.command("CONFIG SET maxmemory-policy allkeys-lru").await?;
    assert_eq!(answer, "+OK\r\n");
    site.start_gateway().await?;
    eventually("the gateway has said so", PATIENCE, async || {
        site.output()
            .lines()
            .any(|line| line.contains("WARN") && line.contains("may evict") && line.contains("allkeys-lru"))
    })
    .await
    .with_context(|| site.output())
}
