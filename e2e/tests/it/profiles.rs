//! Profiles on the operations ports: what is taken under load can be read, names functions of ours, and disturbs nobody.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use prost::Message;
use reelgate_e2e::{
    client::{Client, Upload},
    generated::generated,
    ports::free_port,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(120);
const LENGTH: usize = 16 << 20;

/// What pprof's format says of samples; the rest of it is passed over.
#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_types: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "5")]
    functions: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    strings: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(int64, repeated, tag = "2")]
    values: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(int64, tag = "2")]
    name: i64,
}

impl Profile {
    fn read(bytes: &[u8]) -> Result<Self> {
        let folder = Folder::new("profiles")?;
        let path = folder.join("profile.gz");
        std::fs::write(&path, bytes)?;
        let out = Command::new("gzip").arg("-dc").arg(&path).output()?;
        ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(Self::decode(&out.stdout[..])?)
    }

    fn string(&self, at: i64) -> &str {
        &self.strings[usize::try_from(at).unwrap()]
    }

    fn sum(&self) -> i64 {
        self.samples.iter().map(|sample| sample.values[0]).sum()
    }

    fn names(&self, part: &str) -> bool {
        self.functions.iter().any(|function| self.string(function.name).contains(part))
    }
}

fn profiled(footing: Footing) -> Builder {
    // As jemalloc is told, by the name that it has in our program.
    Site::builder(footing)
        .env("REELGATE__PROFILING__ENABLED", "true")
        .env("_RJEM_MALLOC_CONF", "prof:true,lg_prof_sample:14")
}

async fn profile(ops: &Client, path: &str) -> Result<Vec<u8>> {
    let answer = ops.get(path).await?.expect(200)?;
    ensure!(answer.headers["cache-control"] == "no-store");
    Ok(answer.body.to_vec())
}

/// Both kinds of a process that has something to do.
async fn tells_where_time_and_memory_go(ops: &Client) -> Result<()> {
    let cpu = Profile::read(&profile(ops, "/debug/pprof/profile?seconds=4").await?)?;
    ensure!(cpu.string(cpu.sample_types[0].kind) == "cpu" && cpu.sum() > 0, "no time was seen");
    ensure!(cpu.names("tokio"), "{:?}", cpu.strings);
    let heap = Profile::read(&profile(ops, "/debug/pprof/heap").await?)?;
    ensure!(heap.string(heap.sample_types[0].kind) == "inuse_space" && heap.sum() > 100_000, "{} bytes", heap.sum());
    ensure!(heap.names("reelgate"), "{:?}", heap.strings);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_under_load_tells_where_time_and_memory_go() -> Result<()> {
    let site = profiled(Footing::Embedded).start().await?;
    let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let id = client.upload_one(Upload::bytes("a.bin", "application/octet-stream", generated(0, LENGTH))).await?;
    let token = client.stream_token(&json!({})).await?;
    let path = format!("/v1/files/stream/{id}?token={token}");
    let expected = generated(0, LENGTH);
    let (player, played) = (client.clone(), std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0)));
    let counted = played.clone();
    let playing = tokio::spawn(async move {
        loop {
            // Interrupted a hundred times a second by the profiler, and none the worse for it.
            let answer = player.get(&path).await?.expect(200)?;
            ensure!(answer.body == expected, "other bytes");
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let ops = Client::new(site.gateways[0].ops_url());
    tells_where_time_and_memory_go(&ops).await?;
    ensure!(!playing.is_finished() && played.load(std::sync::atomic::Ordering::Relaxed) > 0);
    playing.abort();
    match playing.await {
        Ok(outcome) => outcome,
        Err(_) => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_tells_while_its_tasks_go_on() -> Result<()> {
    let address = format!("127.0.0.1:{}", free_port());
    let builder = profiled(Footing::Production).env("REELGATE__WORKER__OPS_LISTEN", &address);
    let site = builder.env("REELGATE__WORKER__POLL_MS", "5").start().await?;
    let ops = Client::new(format!("http://{address}"));
    eventually("the worker is ready", PATIENCE, async || ops.get("/readyz").await.is_ok_and(|it| it.status == 200))
        .await?;
    let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let folder = Folder::new("profiles")?;
    let film = reelgate_e2e::film::Film { seconds: 12, ..Default::default() }.make(folder.path())?;
    let files: Vec<String> = {
        let mut files = Vec::new();
        for at in 0..3 {
            files.push(client.upload_one(Upload::file(format!("{at}.mp4"), "video/mp4", &film)).await?);
        }
        files
    };
    tells_where_time_and_memory_go(&ops).await?;
    for file in files {
        let info =
            client.wait_until(&file, PATIENCE, |info| info["progress"] == 1.0 || info["state"] == "failed").await?;
        ensure!(info["state"] == "ready", "{info:#}");
        let jobs = client.get(&format!("/v1/jobs?file_id={file}")).await?.expect(200)?.json()?;
        ensure!(jobs["jobs"][0]["failures"] == 0 && jobs["jobs"][0]["losses"] == 0, "{jobs:#}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_off_and_refused_in_plain_words() -> Result<()> {
    let off = Site::builder(Footing::Embedded).start().await?;
    let ops = Client::new(off.gateways[0].ops_url());
    ensure!(ops.get("/debug/pprof/heap").await?.expect(404)?.json()?["code"] == "not_found");
    let on = Site::builder(Footing::Embedded).env("REELGATE__PROFILING__ENABLED", "true").start().await?;
    let ops = Client::new(on.gateways[0].ops_url());
    let said = ops.get("/debug/pprof/heap").await?.expect(409)?.json()?;
    ensure!(
        said["code"] == "profile_unavailable" && said["detail"].as_str().context("no words")?.contains("prof:true")
    );
    let said = ops.get("/debug/pprof/profile?seconds=900").await?.expect(422)?.json()?;
    ensure!(said["code"] == "profile_query", "{said}");
    // Whoever comes first takes longer than the other can be late.
    let ask = || ops.get("/debug/pprof/profile?seconds=5");
    let (one, other) = tokio::join!(ask(), ask());
    let mut statuses = [one?.status.as_u16(), other?.status.as_u16()];
    statuses.sort_unstable();
    ensure!(statuses == [200, 409], "{statuses:?}");
    // Nobody but operators is told.
    let api = site_client(&on);
    ensure!(api.get("/debug/pprof/profile").await?.status == 404);
    Ok(())
}

fn site_client(site: &Site) -> Client {
    site.client().signed_in(SignIn::admin("alice", "acme").jwt())
}
