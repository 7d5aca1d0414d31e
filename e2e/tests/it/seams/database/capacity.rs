//! What a database bears of each thing that a deployment asks of it: the figures of docs/capacity.md. By `make capacity`; says nothing about
//! right or wrong.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use reelgate_common::{
    config::Secret,
    db::PartEnd,
    ids::{JobId, UserId},
    lane::Lanes,
    lease::{Client, LeaseId, PlaybackLease},
    queue::{self, config::QueueConfig},
    timestamp::Timestamp,
    tokens::{Scope, new_jti},
};
use reelgate_e2e::services::Redis;
use serde_json::json;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use super::setup::*;

/// Who asks at once, as many as a few gateways or workers would.
const AT_ONCE: usize = 32;
const TIMES: u64 = 3_000;
const LONG: Duration = Duration::from_secs(21_600);
/// Rows of leases that a gateway writes with one statement.
const BATCH: usize = 500;

/// Does it so many times, and says how often a second.
async fn rate<F>(what: &str, times: u64, one: impl Fn(u64) -> F + Send + Sync + 'static) -> Result<()>
where
    F: Future<Output = Result<()>> + Send,
{
    let (one, next, begun, mut all) = (Arc::new(one), Arc::new(AtomicU64::new(0)), Instant::now(), JoinSet::new());
    for _ in 0..AT_ONCE {
        let (one, next) = (one.clone(), next.clone());
        all.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= times {
                    return anyhow::Ok(());
                }
                one(number).await?;
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    println!("| {what} | {:.0} |", times as f64 / begun.elapsed().as_secs_f64());
    Ok(())
}

fn lease(file: reelgate_common::ids::FileId) -> PlaybackLease {
    let now = Timestamp::now();
    PlaybackLease {
        id: LeaseId::random(),
        org: org("acme"),
        user: UserId::new("alice"),
        file,
        token_id: new_jti(),
        scope: vec![Scope::Play],
        token_issued_at: now,
        token_expires_at: now.plus(Duration::from_secs(300)),
        client: Client::new(b"player", std::net::Ipv4Addr::LOCALHOST.into()),
        opened_at: now,
        seen_at: now,
        ends_at: now.plus(LONG),
        moves: Vec::new(),
        pins: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; by `make capacity`"]
async fn what_a_database_bears() -> Result<()> {
    let place = Place::postgres().await?;
    let (db, acme) = (place.db.clone(), org("acme"));
    println!("| Postgres, {AT_ONCE} at once | a second |\n|---|---|");
    let jobs: Arc<Mutex<Vec<JobId>>> = Arc::default();
    let (to, made) = (db.clone(), jobs.clone());
    rate("uploads: row, then staged with its job (2 transactions)", TIMES, move |_| {
        let (db, made) = (to.clone(), made.clone());
        async move {
            made.lock().await.push(waiting(&db, &org("acme")).await?.1);
            Ok(())
        }
    })
    .await?;
    let (to, waiting_jobs) = (db.clone(), jobs.clone());
    rate("jobs: begun and finished (2 transactions)", TIMES, move |_| {
        let (db, jobs) = (to.clone(), waiting_jobs.clone());
        async move {
            let job = jobs.lock().await.pop().context("no job")?;
            let fence = begin(&db, job).await?.fence;
            db.finish_job(&fence).await?;
            Ok(())
        }
    })
    .await?;
    parts(&place, 1).await?;
    parts(&place, 8).await?;
    let (file, _) = waiting(&db, &acme).await?;
    let leases: Arc<Vec<PlaybackLease>> = Arc::new((0..TIMES * 2).map(|_| lease(file)).collect());
    let (to, opened) = (db.clone(), leases.clone());
    rate("leases opened (1 transaction)", TIMES * 2, move |number| {
        let (db, lease) = (to.clone(), opened[usize::try_from(number).unwrap_or(0)].clone());
        async move {
            db.open_lease(&lease, LONG, 10_000).await?;
            Ok(())
        }
    })
    .await?;
    let begun = Instant::now();
    let later = Timestamp::now().plus(Duration::from_secs(60));
    for some in leases.chunks(BATCH) {
        db.touch_leases(&some.iter().map(|lease| (lease.id, later)).collect::<Vec<_>>()).await?;
    }
    println!("| leases touched, {BATCH} in a statement | {:.0} |", leases.len() as f64 / begun.elapsed().as_secs_f64());
    remembered(&leases).await
}

/// Leases told to Redis, as gateways do each second of those whose client was here.
async fn remembered(leases: &[PlaybackLease]) -> Result<()> {
    let redis = Redis::start().await?;
    let config = QueueConfig { url: Secret::new(redis.url()), ..QueueConfig::default() };
    let cache = queue::open(&config).await?.leases().context("Redis has room for leases")?;
    let used = async || -> Result<f64> {
        let info = redis.command("INFO cpu").await?;
        let of = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name)?.parse::<f64>().ok());
        Ok(of("used_cpu_user:").context("no CPU time")? + of("used_cpu_sys:").context("no CPU time")?)
    };
    let (before, begun) = (used().await?, Instant::now());
    for _ in 0..10 {
        for some in leases.chunks(200) {
            cache.put(some, LONG).await?;
        }
    }
    let (told, cpu) = (10.0 * leases.len() as f64, used().await? - before);
    let rate = told / begun.elapsed().as_secs_f64();
    println!("| leases told to Redis, 200 in a call ({:.1} us of Redis each) | {rate:.0} |", cpu * 1e6 / told);
    Ok(())
}

/// Parts of films, each begun and finished by whoever is free.
async fn parts(place: &Place, films: u32) -> Result<()> {
    let (db, each) = (place.db.clone(), u32::try_from(TIMES)? / films);
    let (queue, due) = mpsc::unbounded_channel();
    // As many parts wait as a large deployment would have.
    db.attend(&worker("w1"), 64, Lanes::ALL).await?;
    for _ in 0..films {
        let (_, fence) = running(&db, &org("acme")).await?;
        let told = db.split_job(&fence, &json!({}), each).await?.context("not divided")?;
        told.into_iter().try_for_each(|part| queue.send(part.id))?;
        db.keep_made(&fence, &json!({})).await?;
        db.park_job(&fence).await?;
    }
    let due = Arc::new(Mutex::new(due));
    let what = format!("parts of {films} films: begun and finished (2 transactions)");
    rate(&what, u64::from(each * films), move |_| {
        let (db, due, queue) = (db.clone(), due.clone(), queue.clone());
        async move {
            let part = due.lock().await.recv().await.context("no part")?;
            let fence = begin(&db, part).await?.fence;
            if let PartEnd::Written { due, .. } = db.finish_part(&fence, &json!({}), (0.0, 1.0)).await? {
                due.into_iter().try_for_each(|next| queue.send(next.id))?;
            }
            Ok(())
        }
    })
    .await
}
