//! What must survive what: services that go away, processes that die, clients that leave. The real binary on real
//! services; "nothing is left" is read from the database and the store, not from what the API says.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use reelgate_common::{db::FileFilter, ids::OrgId};
use reelgate_e2e::{
    client::{Answer, Client, SlowUpload, Upload, id_of},
    generated::generated,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Gateway, Site, web_safe_clip},
    slow_reader::SlowReader,
};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::timeout;

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
const ORG: &str = "acme";

fn as_alice(gateway: &Gateway) -> Client {
    gateway.client().signed_in(SignIn::member("alice", ORG).jwt())
}

/// Everything of the one organisation: rows, uploads that count as under way, objects, unfinished multipart uploads.
async fn traces(site: &Site) -> Result<Vec<String>> {
    let db = site.database().await?;
    let filter = FileFilter { limit: 200, ..FileFilter::default() };
    let files = db.list_files(&OrgId::new(ORG), &filter).await?;
    let uploads = db.silent_uploads(Duration::ZERO, 200).await?;
    let mut traces = site.stored("staging/").await?;
    traces.extend(site.stored("media/").await?);
    traces.extend(files.iter().map(|row| format!("row {} ({})", row.file.id, row.file.state)));
    traces.extend(uploads.iter().map(|upload| format!("upload {}", upload.file_id)));
    Ok(traces)
}

async fn nothing_is_left(site: &Site) -> Result<()> {
    let mut left = Vec::new();
    let gone = eventually("nothing is left", PATIENCE, async || {
        left = traces(site).await.unwrap_or_else(|error| vec![format!("{error:#}")]);
        left.is_empty()
    });
    gone.await.with_context(|| format!("left: {left:?}\n{}", site.output()))
}

/// An upload of which some has reached the store.
async fn half_an_upload(site: &Site, client: &Client, sent: usize, length: usize) -> Result<SlowUpload> {
    // What lies there of others may be promoted meanwhile.
    let before = site.stored("staging/").await?;
    let mut upload = client.begin_upload("half.bin", length as u64).await?;
    upload.send(&vec![7; sent]).await?;
    eventually("some of it is in the store", PATIENCE, async || {
        site.stored("staging/").await.is_ok_and(|stored| stored.iter().any(|name| !before.contains(name)))
    })
    .await?;
    Ok(upload)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_while_redis_is_down_is_accepted_and_processed_later() -> Result<()> {
    let mut site = Site::start(Footing::Production).await?;
    let folder = Folder::new("faults")?;
    let clip = web_safe_clip(&folder)?;
    let alice = as_alice(&site.gateways[0]);

    site.services()?.redis.crash()?;
    let while_down = alice.upload_one(Upload::file("down.mp4", "video/mp4", &clip)).await?;
    site.services()?.redis.restart().await?;
    alice.wait_ready(&while_down).await.with_context(|| site.output())?;

    // Worse than down: it takes connections and never answers.
    site.services()?.redis.freeze()?;
    let while_frozen = alice.upload_one(Upload::file("frozen.mp4", "video/mp4", &clip)).await?;
    let ops = Client::new(site.gateways[0].ops_url());
    let ready = ops.get("/readyz").await?.expect(200).context("without Redis a gateway is still of use")?.json()?;
    let queue = &ready["checks"]["queue"];
    assert_eq!((&queue["service"], &queue["ok"], &queue["needed"]), (&json!("redis"), &json!(false), &json!(false)));
    assert!(queue["error"].is_string(), "{ready}");
    site.services()?.redis.thaw()?;
    alice.wait_ready(&while_frozen).await.with_context(|| site.output())?;
    let ready = ops.get("/readyz").await?.expect(200)?.json()?;
    assert_eq!(ready["checks"]["queue"]["ok"], json!(true), "{ready}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_forgets_twenty_waiting_files_loses_none() -> Result<()> {
    let mut site =
        Site::builder(Footing::Production).workers(0).env("REELGATE__WORKER__CONCURRENCY", "2").start().await?;
    let folder = Folder::new("faults")?;
    let clip = web_safe_clip(&folder)?;
    let alice = as_alice(&site.gateways[0]);
    let uploads = (0..20).map(|n| Upload::file(format!("{n}.mp4"), "video/mp4", &clip)).collect();
    let files: Vec<String> = alice.upload(uploads).await?.iter().map(id_of).collect::<Result<_>>()?;
    let redis = &site.services()?.redis;
    assert_ne!(redis.command("DBSIZE").await?, ":0\r\n", "there is something to forget");
    assert_eq!(redis.command("FLUSHALL").await?, "+OK\r\n");
    for _ in 0..2 {
        site.start_worker()?;
    }
    try_join_all(files.iter().map(|file| alice.wait_ready(file))).await.with_context(|| site.output())?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_in_an_upload_leaves_nothing_production() -> Result<()> {
    let mut site = Site::builder(Footing::Production).gateways(2).workers(0).start().await?;
    let doomed = half_an_upload(&site, &as_alice(&site.gateways[0]), 30 * MIB, 50 * MIB).await?;
    let other = site.gateways[1].client().signed_in(SignIn::member("erin", "globex").jwt());
    let mut living = half_an_upload(&site, &other, 6 * MIB, 7 * MIB).await?;
    site.gateways[0].process.kill()?;
    drop(doomed);

    eventually("the dead gateway's upload is swept", PATIENCE, async || {
        traces(&site).await.is_ok_and(|traces| traces.len() == 2)
    })
    .await
    .with_context(|| site.output())?;
    // What is left belongs to the living one: its upload's row and its multipart upload. It is still of use.
    living.send(&vec![7; MIB]).await?;
    let (status, answer) = living.finish().await?;
    assert_eq!(status, 200, "{answer}");
    other.delete(&format!("/v1/files/{}", id_of(&answer["files"][0])?)).await?.expect(200)?;
    nothing_is_left(&site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_in_an_upload_leaves_nothing_embedded() -> Result<()> {
    let mut site = Site::start(Footing::Embedded).await?;
    let doomed = half_an_upload(&site, &as_alice(&site.gateways[0]), 30 * MIB, 50 * MIB).await?;
    site.gateways[0].process.kill()?;
    drop(doomed);
    assert_ne!(traces(&site).await?, Vec::<String>::new(), "a crash cleans nothing up");
    site.start_gateway().await?;
    nothing_is_left(&site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_at_the_end_leaves_nothing_production() -> Result<()> {
    client_leaves(Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_at_the_end_leaves_nothing_embedded() -> Result<()> {
    client_leaves(Footing::Embedded).await
}

async fn client_leaves(footing: Footing) -> Result<()> {
    // The gateway has to undo it by itself: the sweep never comes.
    let site =
        Site::builder(footing).workers(0).env("REELGATE__MAINTENANCE__UPLOAD_SILENCE_MS", "3600000").start().await?;
    let upload = half_an_upload(&site, &as_alice(&site.gateways[0]), 20 * MIB * 99 / 100, 20 * MIB).await?;
    drop(upload);
    nothing_is_left(&site).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_asked_to_stop_ends_what_it_has_begun_production() -> Result<()> {
    stops_gently(Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_asked_to_stop_ends_what_it_has_begun_embedded() -> Result<()> {
    stops_gently(Footing::Embedded).await
}

async fn stops_gently(footing: Footing) -> Result<()> {
    let mut site = Site::start(footing).await?;
    let mut upload = half_an_upload(&site, &as_alice(&site.gateways[0]), 6 * MIB, 7 * MIB).await?;
    let ops = Client::new(site.gateways[0].ops_url());
    site.gateways[0].process.signal(Signal::TERM)?;
    eventually("it says that it drains", PATIENCE, async || {
        ops.get("/readyz").await.is_ok_and(|answer| answer.status == 503 && is_draining(&answer.body))
    })
    .await?;
    assert!(as_alice(&site.gateways[0]).get("/v1/files").await.is_err(), "it takes nobody new");
    upload.send(&vec![7; MIB]).await?;
    let (status, answer) = upload.finish().await?;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(site.gateways[0].process.wait(PATIENCE)?.code(), Some(0), "{}", site.output());
    for worker in &mut site.workers {
        worker.signal(Signal::TERM)?;
        assert_eq!(worker.wait(PATIENCE)?.code(), Some(0), "{}", worker.output());
    }

    // What was answered is there for the next one.
    site.start_gateway().await?;
    let next = as_alice(site.gateways.last().context("it was just started")?);
    let file = id_of(&answer["files"][0])?;
    let bytes = next.get(&format!("/v1/files/{file}")).await?.expect(200)?.body;
    assert_eq!(bytes.len(), 7 * MIB);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_loses_its_database_or_its_store_says_so_and_leaves_nothing() -> Result<()> {
    let mut site = Site::builder(Footing::Production).workers(0).own_services().start().await?;
    let alice = as_alice(&site.gateways[0]);

    let upload = half_an_upload(&site, &alice, 6 * MIB, 7 * MIB).await?;
    site.services()?.postgres.as_mut().context("its own")?.crash()?;
    refused(upload, "database_unavailable").await?;
    site.services()?.postgres.as_mut().context("its own")?.restart().await?;
    nothing_is_left(&site).await?;

    let upload = half_an_upload(&site, &alice, 6 * MIB, 7 * MIB).await?;
    site.services()?.garage.as_mut().context("its own")?.crash()?;
    refused(upload, "storage_unavailable").await?;
    site.services()?.garage.as_mut().context("its own")?.restart().await?;
    nothing_is_left(&site).await?;

    // And the gateway goes on as if nothing had been.
    let file = alice.upload_one(Upload::text("after.txt", "after")).await?;
    assert_eq!(alice.get(&format!("/v1/files/{file}")).await?.expect(200)?.body, "after");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_a_bounded_503_and_cuts_no_stream() -> Result<()> {
    let mut site = Site::builder(Footing::Production).workers(0).own_services().start().await?;
    let alice = as_alice(&site.gateways[0]);
    let film = generated(0, 32 * MIB);
    let watched = alice.upload_one(Upload::bytes("watched.bin", "application/octet-stream", film.clone())).await?;
    let waiting = alice.upload_one(Upload::text("waiting.txt", "nobody has asked for it yet")).await?;
    let token = alice.stream_token(&serde_json::json!({})).await?;
    let place = |file: &str| format!("/v1/files/stream/{file}?token={token}");
    let mut viewer = SlowReader::open(alice.base(), &place(&watched), 0).await?;
    assert_eq!(viewer.take(MIB).await?, film[..MIB]);
    let upload = half_an_upload(&site, &alice, 6 * MIB, 7 * MIB).await?;

    site.services()?.postgres.as_ref().context("its own")?.freeze()?;
    answers_away(alice.get(&place(&waiting))).await?;
    answers_away(alice.post_files("/v1/files", vec![Upload::text("late.txt", "late")])).await?;
    // The upload under way waits for the database for a while before it gives up: longer than a stream goes unchecked.
    timeout(PATIENCE, refused(upload, "database_unavailable")).await??;
    assert_eq!(viewer.take(film.len() - MIB).await?, film[MIB..], "a stream under way goes on");

    site.services()?.postgres.as_ref().context("its own")?.thaw()?;
    for file in [&watched, &waiting] {
        eventually("the file can be deleted", PATIENCE, async || {
            alice.delete(&format!("/v1/files/{file}")).await.is_ok_and(|answer| answer.status == 200)
        })
        .await
        .with_context(|| site.output())?;
    }
    nothing_is_left(&site).await
}

async fn answers_away(answer: impl Future<Output = Result<Answer>>) -> Result<()> {
    let answer = timeout(PATIENCE, answer).await.context("no answer in time")??.expect(503)?;
    assert_eq!(answer.code(), "database_unavailable");
    Ok(())
}

/// Sends the rest of an upload, which cannot be stored.
async fn refused(mut upload: SlowUpload, code: &str) -> Result<()> {
    upload.send(&vec![7; MIB]).await?;
    let (status, answer) = upload.finish().await?;
    assert_eq!((status, answer["code"].as_str()), (503, Some(code)), "{answer}");
    Ok(())
}

fn is_draining(body: &[u8]) -> bool {
    serde_json::from_slice(body).is_ok_and(|body: serde_json::Value| body["draining"] == true)
}
