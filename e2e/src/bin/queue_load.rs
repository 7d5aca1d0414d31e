//! The load of the queue bench: how many jobs a second one process takes through the queue, and how long a job waits for an
//! idle worker. Without a database it is the queue alone, as BullMQ is measured beside it; with one, each job is begun and finished in
//! Postgres as well, as a worker does.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use reelgate_common::{
    config::Secret,
    db::{Db, NewFile, NewJob, StagedFile, config::DatabaseConfig},
    file::{FileKind, FileState},
    ids::{FileId, JobId, OrgId, ProcessId, UserId},
    job::{DEFAULT_PRIORITY, JobKind, JobPolicy},
    key::Key,
    lane::{Lane, Lanes},
    queue::{self, Entry, SharedQueue, config::QueueConfig},
    timestamp::Timestamp,
};
use tokio::task::JoinSet;

const LEASE: Duration = Duration::from_secs(30);

#[derive(Parser, Clone)]
struct Arguments {
    #[arg(long)]
    redis: String,
    /// A migrated Postgres; without it the queue alone is measured.
    #[arg(long)]
    database: Option<String>,
    #[arg(long, default_value_t = 50_000)]
    jobs: usize,
    /// Claims under way at once.
    #[arg(long, default_value_t = 50)]
    workers: usize,
    /// Threads of the load; BullMQ's process has one.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Jobs added one by one while the workers idle, and how many of them a second.
    #[arg(long, default_value_t = 2_000)]
    picked: usize,
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Jobs that wait all the while, behind those that are measured.
    #[arg(long, default_value_t = 0)]
    waiting: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.threads)
        .enable_all()
        .build()?
        .block_on(measure(arguments))
}

#[expect(clippy::print_stdout, reason = "figures are this program's output")]
async fn measure(arguments: Arguments) -> Result<()> {
    let url = Secret::new(arguments.redis.clone());
    let config = QueueConfig { url, timeout_ms: 10_000, per_org: usize::MAX >> 1, ..QueueConfig::default() };
    let load = Load { queue: queue::open(&config).await?, db: open(&arguments).await?, arguments };
    let behind: Vec<_> = (0..load.arguments.waiting).map(|_| entry(JobId::new(), 0)).collect();
    load.queue.enqueue(&behind).await?;
    let load = Arc::new(load);
    if load.arguments.jobs > 0 {
        let added = load.measured(load.add()).await?;
        let done = load.measured(load.clone().work_off()).await?;
        println!("added {added}; done {done}");
    }
    if load.arguments.picked > 0 && load.arguments.waiting == 0 {
        let mut delays = load.pick_ups().await?;
        delays.sort_unstable();
        let at = |part: usize| delays[(delays.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
        println!("pick-up delay p50 {:.2} ms, p99 {:.2} ms", at(50), at(99));
    }
    Ok(())
}

async fn open(arguments: &Arguments) -> Result<Option<Db>> {
    let Some(url) = &arguments.database else { return Ok(None) };
    let config = DatabaseConfig { url: Secret::new(url.clone()), max_connections: 20, timeout_ms: 30_000 };
    let db = Db::connect(&config).await?;
    reelgate_migrations::up(db.connection()).await?;
    Ok(Some(db))
}

/// Seconds of a processor that the server has used.
fn server_cpu(redis: &str) -> Result<f64> {
    let mut server = TcpStream::connect(redis.trim_start_matches("redis://"))?;
    server.write_all(b"INFO cpu\r\nQUIT\r\n")?;
    let mut info = String::new();
    server.read_to_string(&mut info)?;
    let used = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok());
    Ok(used("used_cpu_user:").context("no CPU time")? + used("used_cpu_sys:").context("no CPU time")?)
}

fn entry(job_id: JobId, priority: u8) -> Entry {
    Entry { job_id, org_id: OrgId::new("acme"), lane: Lane::Small, priority, run_at: Timestamp::now(), due: true }
}

struct Load {
    queue: SharedQueue,
    db: Option<Db>,
    arguments: Arguments,
}

impl Load {
    /// A job that waits, in the database too if there is one.
    async fn job(&self) -> Result<JobId> {
        let Some(db) = &self.db else { return Ok(JobId::new()) };
        let (file, org) = (FileId::new(), OrgId::new("acme"));
        let new = NewFile {
            id: file,
            org_id: org.clone(),
            owner_id: UserId::new("alice"),
            location: format!("2026/11/{file}/clip.mp4"),
            filename: "clip.mp4".to_owned(),
            staging_key: Key::Staging { org: org.clone(), file },
            repeat_key: None,
            labels: reelgate_common::labels::Labels::default(),
        };
        db.create_file(&new).await?;
        let job = NewJob { id: JobId::new(), kind: JobKind::Process, priority: DEFAULT_PRIORITY };
        let staged = StagedFile {
            size_bytes: 1,
            sha256: String::new(),
            content_type: "video/mp4".to_owned(),
            kind: FileKind::Video,
            state: FileState::Staged,
            version: None,
        };
        db.stage_file(&org, file, &staged, Some(&job)).await?.context("was not staged")?;
        Ok(job.id)
    }

    /// From the claim to its end, as a worker does it; the work itself is nothing. `None`: there was nothing to claim.
    async fn turn(&self, worker: &ProcessId, claimed: impl FnOnce(JobId)) -> Result<Option<()>> {
        let Some(claim) = self.queue.claim(worker, Lanes::ALL, LEASE).await? else { return Ok(None) };
        claimed(claim.job_id);
        if let Some(db) = &self.db {
            let begun = db.begin_attempt(claim.job_id, worker, &JobPolicy::default()).await?;
            let attempt = begun.map_err(|why| anyhow::anyhow!("not begun: {why:?}"))?;
            db.finish_job(&attempt.fence).await?;
        }
        self.queue.complete(&claim).await?;
        Ok(Some(()))
    }

    /// Says how many jobs a second went through, and how long each kept the server busy: that stays the same on a busy machine.
    async fn measured(&self, jobs: impl Future<Output = Result<()>>) -> Result<String> {
        let (cpu, begun) = (server_cpu(&self.arguments.redis)?, Instant::now());
        jobs.await?;
        let (seconds, count) = (begun.elapsed().as_secs_f64(), self.arguments.jobs as f64);
        let cpu = server_cpu(&self.arguments.redis)? - cpu;
        Ok(format!("{:.0} jobs/s ({:.1} us of Redis each)", count / seconds, cpu * 1e6 / count))
    }

    async fn add(&self) -> Result<()> {
        let mut entries = Vec::with_capacity(self.arguments.jobs);
        for _ in 0..self.arguments.jobs {
            entries.push(entry(self.job().await?, DEFAULT_PRIORITY));
        }
        self.queue.enqueue(&entries).await?;
        Ok(())
    }

    async fn work_off(self: Arc<Self>) -> Result<()> {
        let (done, count) = (Arc::new(AtomicU64::new(0)), self.arguments.jobs as u64);
        let mut workers = JoinSet::new();
        for n in 0..self.arguments.workers {
            let (load, done) = (self.clone(), done.clone());
            workers.spawn(async move {
                let worker = ProcessId::new(format!("w{n}"));
                while done.fetch_add(1, Ordering::Relaxed) < count {
                    load.turn(&worker, |_| ()).await?.context("a job is missing")?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// From before a job is added until an idle worker holds it.
    async fn pick_ups(self: Arc<Self>) -> Result<Vec<Duration>> {
        let added: Arc<Mutex<HashMap<JobId, Instant>>> = Arc::default();
        let (told, mut delays) = tokio::sync::mpsc::unbounded_channel();
        let mut workers = JoinSet::new();
        for n in 0..self.arguments.workers.min(8) {
            let (load, added, told) = (self.clone(), added.clone(), told.clone());
            workers.spawn(async move {
                let worker = ProcessId::new(format!("w{n}"));
                loop {
                    let note = |job| {
                        let since = added.lock().map(|added| added.get(&job).map(Instant::elapsed));
                        let _ = told.send(since.ok().flatten());
                    };
                    if load.turn(&worker, note).await?.is_none() {
                        load.queue.wait(Lanes::ALL, Duration::from_secs(1)).await?;
                    }
                }
                #[expect(unreachable_code, reason = "gives the block its type")]
                anyhow::Ok(())
            });
        }
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / self.arguments.rate);
        for _ in 0..self.arguments.picked {
            let job = self.job().await?;
            ticks.tick().await;
            if let Ok(mut added) = added.lock() {
                added.insert(job, Instant::now());
            }
            self.queue.enqueue(&[entry(job, DEFAULT_PRIORITY)]).await?;
        }
        let mut found = Vec::new();
        while found.len() < self.arguments.picked {
            found.push(delays.recv().await.flatten().context("a job that nobody has added")?);
        }
        ensure!(workers.try_join_next().is_none(), "a worker has ended");
        Ok(found)
    }
}
