//! Buckets of callers in a real Redis: gateways share them, they fill by the server's clock, and a Redis that is silent or holds
//! something else under their names costs a moment.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    config::Secret,
    queue::{self, config::QueueConfig},
    rate::{Rate, SharedBuckets, Taken},
};
use reelgate_e2e::{clock::Clock, process::eventually, services::Redis};

async fn open(redis: &Redis) -> Result<SharedBuckets> {
    let config = QueueConfig {
        url: Secret::new(redis.url()),
        prefix: "reelgate".to_owned(),
        timeout_ms: 3_000,
        ..QueueConfig::default()
    };
    queue::open(&config).await?.buckets().context("Redis has room for buckets")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_share_a_bucket_that_fills_again_and_vanishes_when_full() -> Result<()> {
    let redis = Redis::start().await?;
    let gateways = [open(&redis).await?, open(&redis).await?];
    let rate = Rate::new(1, 5).unwrap();
    let mut granted = 0;
    let wait = loop {
        match gateways[granted % 2].take("alice", rate).await? {
            Taken::Granted => granted += 1,
            Taken::Empty(wait) => break wait,
        }
        ensure!(granted < 1_000, "it is never empty");
    };
    ensure!(granted >= 5, "{granted} of a burst of five");
    ensure!(wait <= Duration::from_secs(1), "{wait:?}");
    ensure!(gateways[0].take("bob", rate).await? == Taken::Granted, "each caller has one");
    eventually("there is one again", Duration::from_secs(60), async || {
        gateways[1].take("alice", rate).await.is_ok_and(|taken| taken == Taken::Granted)
    })
    .await?;
    eventually("full buckets are gone", Duration::from_secs(60), async || {
        redis.command("DBSIZE").await.is_ok_and(|answer| answer.starts_with(":0"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_step_back_nobody_is_refused_until_the_clock_has_caught_up() -> Result<()> {
    let clock = Clock::new()?;
    clock.set(3_600)?;
    let redis = Redis::start_with(clock.environment()).await?;
    let (buckets, rate) = (open(&redis).await?, Rate::new(1, 2).unwrap());
    while buckets.take("alice", rate).await? == Taken::Granted {}
    clock.set(0)?;
    ensure!(buckets.take("alice", rate).await? == Taken::Granted);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_or_spoilt_redis_is_an_error_and_not_a_refusal() -> Result<()> {
    let redis = Redis::start().await?;
    let (buckets, rate) = (open(&redis).await?, Rate::new(1, 5).unwrap());
    redis.command("SET {reelgate}:rate:alice nonsense").await?;
    ensure!(buckets.take("alice", rate).await? == Taken::Granted, "what is no number is no bucket");
    redis.freeze()?;
    ensure!(buckets.take("alice", rate).await.is_err());
    redis.thaw()?;
    eventually("it is asked again", Duration::from_secs(60), async || buckets.take("alice", rate).await.is_ok()).await
}
