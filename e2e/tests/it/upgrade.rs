//! Two versions side by side on the production footing: the one before comes from a folder of its own, which `make upgrade` builds.
//! While gateways and workers are replaced one by one, clients upload and play without a pause, and nothing may be lost.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "what each phase has seen is wanted")]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reelgate_common::{db::JobFilter, ids::OrgId};
use reelgate_e2e::{
    client::{Answer, Client, Upload, id_of},
    process::{Folder, Process, eventually},
    sign_in::SignIn,
    site::{Footing, Gateway, Site, web_safe_clip},
};
use rustix::process::Signal;
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

/// Where the programs of the version before lie.
const OLD: &str = "REELGATE_OLD_PROGRAMS";
const PATIENCE: Duration = Duration::from_secs(180);
/// What each phase must have seen: uploads that became ready, and ranges that were read.
const UPLOADS: usize = 4;
const RANGES: usize = 100;
const PIECE: u64 = 16 << 10;

/// What the clients share.
struct Scene {
    /// Where requests go, as a load balancer's list.
    gateways: Mutex<Vec<Client>>,
    clip: Bytes,
    film: String,
    token: String,
    over: AtomicBool,
    /// What was answered with success, and what was sent.
    uploaded: Mutex<Vec<(String, Bytes)>>,
    ready: AtomicUsize,
    ranges: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Scene {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    fn any(&self, n: usize) -> Client {
        let gateways = self.gateways.lock().unwrap();
        gateways[n % gateways.len()].clone()
    }

    /// Whether it may have been away: a request that began before it left the list.
    fn has_left(&self, client: &Client) -> bool {
        !self.gateways.lock().unwrap().iter().any(|known| known.base() == client.base())
    }

    fn note(&self, wrong: String) {
        self.wrong.lock().unwrap().push(wrong);
    }

    /// The answer; one that did not come is somebody's fault unless its gateway was leaving.
    fn came(&self, client: &Client, what: &str, answer: Result<Answer>) -> Option<Answer> {
        match answer {
            Ok(answer) => Some(answer),
            Err(_) if self.has_left(client) => None,
            Err(error) => {
                self.note(format!("{what}: {error:#}"));
                None
            }
        }
    }

    async fn upload(self: Arc<Self>, n: usize) {
        let mut count = n;
        while self.goes_on() {
            count += 1;
            let client = self.any(count).signed_in(SignIn::member("alice", "acme").jwt());
            let (name, bytes) = match count % 2 {
                0 => ("clip.mp4", self.clip.clone()),
                _ => ("notes.txt", Bytes::from(format!("notes {n} {count}"))),
            };
            let upload = Upload::bytes(name, "application/octet-stream", bytes.clone());
            let Some(answer) = self.came(&client, "upload", client.post_files("/v1/files", vec![upload]).await) else {
                continue;
            };
            match answer.json().ok().filter(|_| answer.status == 200).and_then(|json| id_of(&json["files"][0]).ok()) {
                Some(id) => {
                    self.uploaded.lock().unwrap().push((id.clone(), bytes));
                    self.wait(&id, count).await;
                }
                None => self.note(format!("upload: {} {}", answer.status, answer.code())),
            }
        }
    }

    async fn wait(&self, id: &str, n: usize) {
        let settled = async {
            while !self.is_settled(id, n).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match timeout(PATIENCE, settled).await {
            Ok(()) => _ = self.ready.fetch_add(1, Ordering::SeqCst),
            Err(_) => self.note(format!("{id} is not settled within {PATIENCE:?}")),
        }
    }

    async fn is_settled(&self, id: &str, n: usize) -> bool {
        let client = self.any(n).signed_in(SignIn::member("alice", "acme").jwt());
        let Ok(info) = client.info(id).await else { return false };
        info["state"] == "failed" || (info["state"] == "ready" && info["progress"] == 1.0)
    }

    /// Walks through the film under one token, which all versions must take, and compares what comes.
    async fn play(self: Arc<Self>, n: usize) {
        let path = format!("/v1/files/stream/{}?token={}&rendition=source", self.film, self.token);
        let (mut at, mut count) = (0, n);
        while self.goes_on() {
            count += 1;
            let end = (at + PIECE).min(self.clip.len() as u64);
            let client = self.any(count);
            match client.range(&path, at..end).await {
                Ok(bytes) if bytes == self.clip[at as usize..end as usize] => {
                    _ = self.ranges.fetch_add(1, Ordering::SeqCst);
                }
                Ok(_) => self.note(format!("other bytes at {at}")),
                Err(_) if self.has_left(&client) => {}
                Err(error) => self.note(format!("range: {error:#}")),
            }
            at = if end == self.clip.len() as u64 { 0 } else { end };
        }
    }

    /// Playlists that one gateway wrote are read from whichever comes next.
    async fn packaged(self: Arc<Self>) {
        let folder = format!("/v1/files/stream/{}", self.film);
        let mut count = 0;
        while self.goes_on() {
            let mut path = format!("master.m3u8?token={}", self.token);
            for what in ["master", "playlist", "segment"] {
                count += 1;
                let client = self.any(count);
                let answer = client.get(&format!("{folder}/{path}")).await;
                let Some(answer) = self.came(&client, what, answer) else { break };
                if answer.status != 200 {
                    self.note(format!("{what}: {} {}", answer.status, answer.code()));
                    break;
                }
                let text = String::from_utf8_lossy(&answer.body);
                let Some(next) = text.lines().find(|line| !line.is_empty() && !line.starts_with('#')) else { break };
                path = match path.split('?').next().unwrap_or_default().rsplit_once('/') {
                    Some((below, _)) => format!("{below}/{next}"),
                    None => next.to_owned(),
                };
            }
        }
    }

    /// Until the phase has seen enough since it began.
    async fn enough(&self, phase: &str, site: &Site) -> Result<()> {
        let (ready, ranges) = (self.ready.load(Ordering::SeqCst), self.ranges.load(Ordering::SeqCst));
        let done = async || {
            let more = |count: &AtomicUsize, before| count.load(Ordering::SeqCst) - before;
            more(&self.ready, ready) >= UPLOADS && more(&self.ranges, ranges) >= RANGES
        };
        eventually(phase, PATIENCE, done)
            .await
            .with_context(|| format!("{:?} {}", self.wrong.lock().unwrap(), site.output()))?;
        let more = |count: &AtomicUsize, before| count.load(Ordering::SeqCst) - before;
        println!("{phase}: {} uploads settled, {} ranges read", more(&self.ready, ready), more(&self.ranges, ranges));
        Ok(())
    }
}

/// Off the list first, then told to end, as a rolling upgrade does.
fn replace_gateway(site: &mut Site, scene: &Scene) -> Result<()> {
    let leaves = site.gateways.remove(0);
    *scene.gateways.lock().unwrap() = site.gateways.iter().map(Gateway::client).collect();
    end(leaves.process)
}

fn end(mut process: Process) -> Result<()> {
    process.signal(Signal::TERM)?;
    let status = process.wait(PATIENCE)?;
    ensure!(status.success(), "{status}: {}", process.output());
    Ok(())
}

async fn with_gateway(site: &mut Site, scene: &Scene, programs: Option<&Path>) -> Result<()> {
    site.set_programs(programs.map(Path::to_owned));
    site.start_gateway().await?;
    replace_gateway(site, scene)
}

fn with_worker(site: &mut Site, programs: Option<&Path>) -> Result<()> {
    site.set_programs(programs.map(Path::to_owned));
    site.start_worker()?;
    end(site.workers.remove(0))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the programs of the version before: make upgrade"]
async fn two_versions_side_by_side_lose_nothing() -> Result<()> {
    let old = PathBuf::from(std::env::var_os(OLD).context("REELGATE_OLD_PROGRAMS is not set")?);
    let mut site = Site::builder(Footing::Production).programs(&old).start().await?;
    let folder = Folder::new("upgrade")?;
    let path = web_safe_clip(&folder)?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let film = alice.upload_one(Upload::file("film.mp4", "video/mp4", &path)).await?;
    alice.wait_settled(&film, PATIENCE).await?;
    let scene = Arc::new(Scene {
        gateways: Mutex::new(vec![site.client()]),
        clip: std::fs::read(&path)?.into(),
        token: alice.stream_token(&json!({})).await?,
        film,
        over: AtomicBool::default(),
        uploaded: Mutex::default(),
        ready: AtomicUsize::default(),
        ranges: AtomicUsize::default(),
        wrong: Mutex::default(),
    });
    let mut clients = JoinSet::new();
    (0..3).for_each(|n| _ = clients.spawn(scene.clone().upload(n)));
    (0..3).for_each(|n| _ = clients.spawn(scene.clone().play(n)));
    clients.spawn(scene.clone().packaged());

    scene.enough("old gateway, old worker", &site).await?;
    site.set_programs(None);
    let (succeeded, output) = site.command(&["migrate"])?;
    ensure!(succeeded, "migrate failed: {output}");
    scene.enough("old gateway, old worker, new schema", &site).await?;
    with_gateway(&mut site, &scene, None).await?;
    scene.enough("new gateway, old worker", &site).await?;
    with_gateway(&mut site, &scene, Some(&old)).await?;
    with_worker(&mut site, None)?;
    scene.enough("old gateway, new worker", &site).await?;
    site.set_programs(None);
    site.start_gateway().await?;
    *scene.gateways.lock().unwrap() = site.gateways.iter().map(Gateway::client).collect();
    site.set_programs(Some(old.clone()));
    site.start_worker()?;
    scene.enough("both gateways, both workers", &site).await?;
    replace_gateway(&mut site, &scene)?;
    end(site.workers.remove(1))?;
    scene.enough("new gateway, new worker", &site).await?;

    scene.over.store(true, Ordering::SeqCst);
    clients.join_all().await;
    nothing_is_lost(&site, &scene).await
}

async fn nothing_is_lost(site: &Site, scene: &Scene) -> Result<()> {
    let wrong = std::mem::take(&mut *scene.wrong.lock().unwrap());
    ensure!(wrong.is_empty(), "{wrong:#?}\n{}", site.output());
    let uploaded = std::mem::take(&mut *scene.uploaded.lock().unwrap());
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    for (id, sent) in &uploaded {
        let info = alice.info(id).await?;
        ensure!(info["state"] == "ready", "{info}");
        let stored = alice.get(&format!("/v1/files/{id}")).await?.expect(200)?;
        ensure!(stored.body == *sent, "{id} is not what was sent");
    }
    let db = site.database().await?;
    let jobs = db
        .list_jobs(
            reelgate_common::db::Reach::Org(&OrgId::new("acme")),
            &JobFilter { limit: 200, ..JobFilter::default() },
        )
        .await?;
    let open: Vec<_> = jobs.iter().filter(|job| job.finished_at.is_none()).collect();
    ensure!(open.is_empty(), "{open:#?}");
    let emptied = async || site.stored("staging/").await.is_ok_and(|left| left.is_empty());
    if let Err(error) = eventually("staging is empty", PATIENCE, emptied).await {
        return Err(error.context(format!("{:#?}\n{}", site.stored("staging/").await?, site.output())));
    }
    println!("{} uploads were answered with success: all are ready and whole", uploaded.len());
    Ok(())
}
