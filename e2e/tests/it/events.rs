//! Live events as those hear them who listen: in order, each once, through any gateway, whatever dies meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{HeaderName, Method, header};
use reelgate_common::ids::OrgId;
use reelgate_e2e::{
    client::{Client, Upload},
    listener::{Heard, Listener},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(120);

crate::on_both_footings!(
    from_upload_to_deletion_all_is_told_in_order_and_to_nobody_else,
    whoever_comes_back_goes_on_where_he_was_and_hears_when_he_cannot,
    tokens_open_what_they_were_made_for_and_a_listener_comes_back_after_expiry,
    bytes_places_and_rungs_are_told_while_they_change,
);

fn member(gateway: &Client, user: &str, org: &str) -> Client {
    gateway.signed_in(SignIn::member(user, org).jwt())
}

fn note(content: &str) -> Upload {
    Upload::text("note.txt", content)
}

/// What is in the log, up to the first of this kind.
async fn up_to(listener: &mut Listener, kind: &str) -> Result<Vec<Heard>> {
    let hearing = async {
        let mut heard = Vec::new();
        loop {
            heard.push(listener.next_durable().await?);
            if heard.last().is_some_and(|event| event.kind == kind) {
                return anyhow::Ok(heard);
            }
        }
    };
    timeout(PATIENCE, hearing).await.with_context(|| format!("no {kind}"))?
}

async fn from_upload_to_deletion_all_is_told_in_order_and_to_nobody_else(footing: Footing) -> Result<()> {
    let folder = Folder::new("events")?;
    let site = Site::start(footing).await?;
    let alice = member(&site.client(), "alice", "acme");
    let mallory = member(&site.client(), "mallory", "other");
    let mut listener = Listener::open(&alice, "/v1/events", None).await?;
    let mut stranger = Listener::open(&mallory, "/v1/events", None).await?;
    let film = alice.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    let mut heard = up_to(&mut listener, "file.completed").await.with_context(|| site.output())?;
    alice.delete(&format!("/v1/files/{film}")).await?.expect(200)?;
    heard.extend(up_to(&mut listener, "file.deleted").await?);
    let kinds: Vec<&str> = heard.iter().map(|event| event.kind.as_str()).collect();
    let at =
        |kind: &str| kinds.iter().position(|other| *other == kind).with_context(|| format!("no {kind}: {kinds:?}"));
    let order = [at("file.staged")?, at("file.processing")?, at("rendition.ready")?, at("file.ready")?];
    ensure!(order.is_sorted() && order[0] == 0 && at("file.ready")? < at("file.completed")?, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "file.ready").count(), 1);
    let ids: Vec<i64> = heard.iter().filter_map(|event| event.id).collect();
    assert_eq!(ids, (1..=heard.len() as i64).collect::<Vec<_>>());
    for event in &heard {
        assert_eq!((event.file(), event.data["type"].as_str()), (film.as_str(), Some(event.kind.as_str())));
        assert_eq!(event.data["id"], json!(event.id.unwrap().to_string()));
    }
    assert_eq!(heard[0].data["data"]["filename"], "clip.mp4");
    assert_eq!(heard[at("file.ready")?].data["data"]["state"], "ready");
    // The first that a stranger hears is his own.
    let own = mallory.upload_one(note("mine")).await?;
    let first = timeout(PATIENCE, stranger.next_durable()).await??;
    assert_eq!((first.id, first.file()), (Some(1), own.as_str()));

    let head = alice.send(Method::HEAD, "/v1/events", &[], Bytes::new()).await?.expect(200)?;
    assert_eq!(head.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(head.headers["x-accel-buffering"], "no");
    site.client().get("/v1/events").await?.expect(401)?;
    Ok(())
}

async fn whoever_comes_back_goes_on_where_he_was_and_hears_when_he_cannot(footing: Footing) -> Result<()> {
    let site = Site::builder(footing).env("REELGATE__EVENTS__HEARTBEAT_MS", "200").start().await?;
    let alice = member(&site.client(), "alice", "acme");
    // Cut off before the first event: its number was told all the same.
    let mut listener = Listener::open(&alice, "/v1/events", None).await?;
    timeout(PATIENCE, async {
        while listener.comments < 2 {
            let _ = timeout(Duration::from_millis(300), listener.next()).await;
        }
    })
    .await?;
    assert_eq!(listener.last_id, Some(0));
    drop(listener);
    let (one, two) = (alice.upload_one(note("one")).await?, alice.upload_one(note("two")).await?);
    let mut again = Listener::open(&alice, "/v1/events", Some(0)).await?;
    let mut heard = up_to(&mut again, "file.completed").await?;
    heard.extend(up_to(&mut again, "file.completed").await?);
    let told: Vec<_> = heard.iter().map(|event| (event.id.unwrap(), event.file())).collect();
    let expected = [(1, &one), (2, &one), (3, &one), (4, &two), (5, &two), (6, &two)];
    assert_eq!(told, expected.map(|(id, file)| (id, file.as_str())));
    // In the middle, by either way of saying so; one file alone.
    let mut middle = Listener::open(&alice, "/v1/events?last_event_id=4", None).await?;
    assert_eq!(timeout(PATIENCE, middle.next_durable()).await??.id, Some(5));
    let mut single = Listener::open(&alice, &format!("/v1/events?file_id={two}"), Some(2)).await?;
    assert_eq!(timeout(PATIENCE, single.next_durable()).await??.id, Some(4));

    // Numbers of another log, and those of before the oldest that is kept.
    let (database, acme) = (site.database().await?, OrgId::new("acme"));
    eventually("all is dropped", PATIENCE, async || {
        let pruned = database.prune_events(Duration::ZERO, 100).await;
        pruned.is_ok() && database.event_span(&acme).await.is_ok_and(|span| span.first == 7)
    })
    .await?;
    for stale in [5, 7_777] {
        let mut lost = Listener::open(&alice, "/v1/events", Some(stale)).await?;
        let reset = timeout(PATIENCE, lost.next()).await??.context("no reset")?;
        assert_eq!((reset.kind.as_str(), reset.id), ("reset", Some(6)), "after {stale}");
    }
    let mut just = Listener::open(&alice, "/v1/events", Some(6)).await?;
    let three = alice.upload_one(note("three")).await?;
    let next = timeout(PATIENCE, just.next_durable()).await??;
    assert_eq!((next.id, next.kind.as_str(), next.file()), (Some(7), "file.staged", three.as_str()));
    alice.get("/v1/events?file_id=nonsense").await?.expect(422)?;
    Ok(())
}

async fn tokens_open_what_they_were_made_for_and_a_listener_comes_back_after_expiry(footing: Footing) -> Result<()> {
    let builder = Site::builder(footing).workers(0).env("REELGATE__TOKENS__TTL_SECONDS", "3");
    let site = builder.env("REELGATE__EVENTS__HEARTBEAT_MS", "500").start().await?;
    let gateway = site.client();
    let alice = member(&gateway, "alice", "acme");
    let (one, two) = (alice.upload_one(note("one")).await?, alice.upload_one(note("two")).await?);
    let play = alice.stream_token(&json!({})).await?;
    let refused = gateway.get(&format!("/v1/events?token={play}")).await?.expect(403)?;
    assert_eq!(refused.code(), "scope_missing");

    let narrowed = alice.stream_token(&json!({ "scope": ["events"], "file_ids": [two] })).await?;
    let path = format!("/v1/events?token={narrowed}&last_event_id=0");
    let mut listener = Listener::open(&gateway, &path, None).await?;
    let heard = up_to(&mut listener, "file.completed").await?;
    ensure!(heard.iter().all(|event| event.file() == two), "{heard:?}");
    gateway.get(&format!("/v1/events?token={narrowed}&file_id={one}")).await?.expect(404)?;

    // After its token has expired the same client goes on, and no other.
    let ua = |name: &'static str| [(header::USER_AGENT, name)];
    let stranger: [(HeaderName, &str); 1] = ua("somebody else");
    eventually("the token has expired", PATIENCE, async || {
        gateway.send(Method::HEAD, &path, &stranger, Bytes::new()).await.is_ok_and(|answer| answer.status == 401)
    })
    .await?;
    let mut again = Listener::open(&gateway, &path, listener.last_id).await?;
    let other = gateway.send(Method::GET, &path, &stranger, Bytes::new()).await?.expect(401)?;
    assert_eq!(other.code(), "token_expired");
    let unheard = alice.stream_token(&json!({ "scope": ["events"] })).await?;
    alice.upload_one(note("three")).await?;

    // What is revoked ends, and nobody comes back with it.
    let admin = gateway.signed_in(SignIn::admin("root", "acme").jwt());
    admin.post_json("/v1/leases/revoke", &json!({ "user_id": "alice" })).await?.expect(200)?;
    let ended = timeout(PATIENCE, async { while let Ok(Some(_)) = again.next().await {} });
    ended.await.context("a revoked listener goes on")?;
    for token in [&narrowed, &unheard] {
        eventually("nobody comes back", PATIENCE, async || {
            gateway.get(&format!("/v1/events?token={token}")).await.is_ok_and(|answer| answer.status == 401)
        })
        .await?;
    }
    Ok(())
}

/// What is not in the log, up to the first that is meant.
async fn live(listener: &mut Listener, meant: impl Fn(&Heard) -> bool) -> Result<Heard> {
    let hearing = async {
        loop {
            let heard = listener.next().await?.context("the answer has ended")?;
            if heard.id.is_none() && meant(&heard) {
                return anyhow::Ok(heard);
            }
        }
    };
    timeout(PATIENCE, hearing).await.context("it is not told")?
}

/// A film that takes a while: noise, in two sizes.
fn noise(folder: &Folder) -> Result<std::path::PathBuf> {
    let path = folder.path().join("noise.mkv");
    let status = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=854x480:rate=25:duration=20"])
        .args(["-vf", "noise=alls=60:allf=t", "-c:v", "mpeg4", "-b:v", "6M"])
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make the film");
    Ok(path)
}

async fn bytes_places_and_rungs_are_told_while_they_change(footing: Footing) -> Result<()> {
    let folder = Folder::new("progress")?;
    let site = Site::builder(footing).env("REELGATE__LADDER__PRESET", "slow").start().await?;
    let alice = member(&site.client(), "alice", "acme");
    let mut listener = Listener::open(&alice, "/v1/events", None).await?;
    let mut slow = alice.begin_upload("half.bin", 4 << 20).await?;
    slow.send(&vec![7; 1 << 20]).await?;
    let progress = live(&mut listener, |heard| heard.kind == "upload.progress").await?;
    let received = progress.data["data"]["received_bytes"].as_u64();
    ensure!(received.is_some_and(|bytes| (1..=1 << 20).contains(&bytes)), "{progress:?}");
    drop(slow);
    // What was given up is told as gone.
    let gone = timeout(PATIENCE, listener.next_durable()).await??;
    assert_eq!((gone.kind.as_str(), gone.file()), ("file.deleted", progress.file()));

    // One is processed, the second waits.
    let (path, mut files) = (noise(&folder)?, Vec::new());
    for _ in 0..2 {
        files.push(alice.upload_one(Upload::file("noise.mkv", "video/x-matroska", &path)).await?);
    }
    let waits = |heard: &Heard| heard.kind == "job.queued" && heard.file() == files[1];
    live(&mut listener, |heard| waits(heard) && heard.data["data"] == json!({ "position": 1 })).await?;
    let rungs = |heard: &Heard| heard.data["data"]["rungs"].as_array().cloned().unwrap_or_default();
    let running = live(&mut listener, |heard| {
        let half = |rung: &serde_json::Value| rung["progress"].as_f64().is_some_and(|at| at > 0.0 && at < 1.0);
        heard.kind == "job.progress" && heard.data["data"]["speed"].is_number() && rungs(heard).iter().any(half)
    })
    .await
    .with_context(|| site.output())?;
    let names: Vec<_> = rungs(&running).iter().map(|rung| rung["name"].clone()).collect();
    ensure!(names.contains(&json!("480p")) && names.contains(&json!("360p")), "{running:?}");
    ensure!(running.data["data"]["time_left_ms"].is_u64() && running.data["id"].is_null(), "{running:?}");
    for file in files {
        alice.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_have_their_places_and_a_gateway_that_stops_sends_them_elsewhere() -> Result<()> {
    let builder = Site::builder(Footing::Production).workers(0).env("REELGATE__EVENTS__MAX_STREAMS", "3");
    let mut site = builder.env("REELGATE__EVENTS__MAX_STREAMS_PER_ORG", "2").gateways(1).start().await?;
    let (alice, bob) = (member(&site.client(), "alice", "acme"), member(&site.client(), "bob", "other"));
    let carol = member(&site.client(), "carol", "third");
    let mut first = Listener::open(&alice, "/v1/events", None).await?;
    let second = Listener::open(&alice, "/v1/events", None).await?;
    let many = alice.get("/v1/events").await?.expect(429)?;
    assert_eq!((many.code().as_str(), many.headers.contains_key(header::RETRY_AFTER)), ("too_many_streams", true));
    let _third = Listener::open(&bob, "/v1/events", None).await?;
    let full = carol.get("/v1/events").await?.expect(503)?;
    assert_eq!((full.code().as_str(), full.headers.contains_key(header::RETRY_AFTER)), ("too_many_listeners", true));
    drop(second);
    eventually("a place is free", PATIENCE, async || Listener::open(&carol, "/v1/events", None).await.is_ok()).await?;
    site.gateways[0].process.signal(Signal::TERM)?;
    // In order, not cut off.
    let ended = timeout(PATIENCE, async {
        loop {
            match first.next().await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    });
    assert_eq!(ended.await??, None);
    site.gateways[0].process.wait(PATIENCE)?;
    Ok(())
}

/// A browser that knows two gateways' addresses: where the connection breaks, it goes to the other one.
async fn follow(gateways: [Client; 2], first: usize, files: usize) -> Result<(Vec<Heard>, usize)> {
    let (mut at, mut last, mut heard, mut moves) = (first, Some(0), Vec::new(), 0);
    while heard.iter().filter(|event: &&Heard| event.kind == "file.completed").count() < files {
        let Ok(mut listener) = Listener::open(&gateways[at], "/v1/events", last).await else {
            at = 1 - at;
            tokio::task::yield_now().await;
            continue;
        };
        loop {
            match listener.next().await {
                Ok(Some(event)) if event.kind == "reset" => bail!("a reset"),
                Ok(Some(event)) => heard.extend(event.id.is_some().then_some(event)),
                Ok(None) | Err(_) => break,
            }
            if heard.iter().filter(|event| event.kind == "file.completed").count() >= files {
                break;
            }
        }
        last = listener.last_id;
        (at, moves) = (1 - at, moves + 1);
    }
    Ok((heard, moves))
}

/// The promise of live events: 200 listeners at two gateways, one of which is killed, while Redis is wiped and frozen.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_listeners_none_misses_or_hears_twice_what_happens_while_a_gateway_and_redis_die() -> Result<()>
{
    const LISTENERS: usize = 200;
    const FILES: usize = 30;
    let builder = Site::builder(Footing::Production).own_services().gateways(2).workers(0);
    let mut site = builder.start().await?;
    let gateways = [0, 1].map(|n| member(&site.gateways[n].client(), "alice", "acme"));
    let following: Vec<_> = (0..LISTENERS).map(|n| tokio::spawn(follow(gateways.clone(), n % 2, FILES))).collect();
    let mut uploaded = Vec::new();
    for n in 0..FILES {
        let content = format!("number {n}");
        uploaded.push(gateways[1].upload_one(note(&content)).await?);
        let redis = &site.services()?.redis;
        match n {
            5 => drop(redis.command("FLUSHALL").await?),
            10 => site.gateways[0].process.kill()?,
            15 => redis.freeze()?,
            20 => redis.thaw()?,
            _ => {}
        }
    }
    let all = timeout(PATIENCE, try_join_all(following)).await.context("somebody misses something")??;
    let mut moved = 0;
    for followed in all {
        let (heard, moves) = followed?;
        moved += usize::from(moves > 1);
        let ids: Vec<i64> = heard.iter().filter_map(|event| event.id).collect();
        assert_eq!(ids, (1..=3 * FILES as i64).collect::<Vec<_>>());
        let files: Vec<&str> = heard.iter().filter(|event| event.kind == "file.staged").map(Heard::file).collect();
        assert_eq!(files, uploaded);
    }
    assert!(moved >= LISTENERS / 2, "{moved} came from the one that was killed");
    Ok(())
}
