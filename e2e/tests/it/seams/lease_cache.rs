//! The cache of playback leases in a real Redis: what it was told it tells, for as long as it was told to; nothing that is
//! wrong with it stops anybody.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    config::Secret,
    ids::{FileId, OrgId, UserId},
    lease::{Client, LeaseId, Parameter, Pin, PlaybackLease, Shown, cache::SharedLeaseCache},
    queue::{self, config::QueueConfig},
    timestamp::Timestamp,
    tokens::{Scope, new_jti},
};
use reelgate_e2e::{process::eventually, services::Redis};

const LONG: Duration = Duration::from_secs(600);

async fn open(redis: &Redis, prefix: &str) -> Result<SharedLeaseCache> {
    let config = QueueConfig {
        url: Secret::new(redis.url()),
        prefix: prefix.to_owned(),
        timeout_ms: 3_000,
        ..QueueConfig::default()
    };
    queue::open(&config).await?.leases().context("Redis has room for leases")
}

fn lease(token_id: &str, file: FileId) -> PlaybackLease {
    let now = Timestamp::now();
    PlaybackLease {
        id: LeaseId::random(),
        org: OrgId::new("acme"),
        user: UserId::new("alice ü \"{}"),
        file,
        token_id: token_id.to_owned(),
        scope: vec![Scope::Play],
        token_issued_at: now,
        token_expires_at: now.plus(LONG),
        client: Client::new(b"player", "2001:db8::1".parse().unwrap()),
        opened_at: now,
        seen_at: now,
        ends_at: now.plus(LONG),
        moves: vec![now],
        pins: vec![Pin { parameter: Parameter::Best, generation: 1, shown: Shown::Rendition("720p".to_owned()) }],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_puts_another_finds() -> Result<()> {
    let redis = Redis::start().await?;
    let (one, two) = (open(&redis, "reelgate").await?, open(&redis, "reelgate").await?);
    let (token, file) = (new_jti(), FileId::new());
    let leases = [lease(&token, file), lease(&token, file), lease(&token, FileId::new()), lease(&new_jti(), file)];
    one.put(&leases, LONG).await?;
    let mut found = two.of_token(&token, file).await?;
    found.sort_by_key(|lease| lease.id != leases[0].id);
    ensure!(found == leases[..2], "{found:?}");
    ensure!(two.find(leases[3].id).await?.as_ref() == Some(&leases[3]));
    ensure!(two.find(LeaseId::random()).await?.is_none() && two.of_token("none", file).await?.is_empty());
    ensure!(open(&redis, "other").await?.find(leases[0].id).await?.is_none(), "deployments do not meet");

    // Told again, it knows the latest.
    let later = PlaybackLease { seen_at: leases[0].seen_at.plus(LONG), ..leases[0].clone() };
    one.put(std::slice::from_ref(&later), LONG).await?;
    ensure!(two.find(later.id).await?.as_ref() == Some(&later));
    ensure!(two.of_token(&token, file).await?.contains(&later));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_told_again_goes_and_what_is_not_ours_is_not_read() -> Result<()> {
    let redis = Redis::start().await?;
    let cache = open(&redis, "reelgate").await?;
    let lease = lease(&new_jti(), FileId::new());
    cache.put(std::slice::from_ref(&lease), Duration::from_millis(200)).await?;
    eventually("it is forgotten", LONG, async || redis.command("DBSIZE").await.is_ok_and(|size| size == ":0\r\n"))
        .await?;
    redis.command(&format!("SET {{reelgate}}:lease:{} nonsense", lease.id)).await?;
    redis.command(&format!("HSET {{reelgate}}:leases:{}:{} x nonsense", lease.file, lease.token_id)).await?;
    ensure!(cache.find(lease.id).await?.is_none());
    ensure!(cache.of_token(&lease.token_id, lease.file).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_is_an_error_in_time_and_then_at_once() -> Result<()> {
    let redis = Redis::start().await?;
    let cache = open(&redis, "reelgate").await?;
    redis.freeze()?;
    let lease = lease(&new_jti(), FileId::new());
    // The tests' own time limit is what a call without one would run into.
    ensure!(cache.find(lease.id).await.is_err());
    ensure!(cache.put(std::slice::from_ref(&lease), LONG).await.is_err());
    redis.thaw()?;
    eventually("it answers again", LONG, async || cache.put(std::slice::from_ref(&lease), LONG).await.is_ok()).await?;
    ensure!(cache.find(lease.id).await?.as_ref() == Some(&lease));
    Ok(())
}
