//! Signals: within one process, and between two through a real Redis, which may be wiped, silent and started anew.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use reelgate_common::{
    config::Secret,
    event::{LiveEvent, LiveKind, SharedSignals, Signal},
    ids::{FileId, OrgId},
    queue::{self, Queue, config::QueueConfig, memory::MemoryQueue},
    timestamp::Timestamp,
};
use reelgate_e2e::services::Redis;
use serde_json::json;
use tokio::{sync::broadcast::Receiver, time::timeout};

const PATIENCE: Duration = Duration::from_secs(60);

async fn open(redis: &Redis) -> Result<SharedSignals> {
    let config = QueueConfig { url: Secret::new(redis.url()), timeout_ms: 1_000, ..QueueConfig::default() };
    Ok(queue::open(&config).await?.signals())
}

fn grown(name: &str) -> Signal {
    Signal::Grown { org: OrgId::new(name) }
}

fn live() -> Signal {
    Signal::Live(LiveEvent {
        org_id: OrgId::new("acme"),
        file_id: FileId::new(),
        kind: LiveKind::JobProgress,
        data: json!({ "progress": 0.5, "rungs": [{ "name": "720p", "progress": 0.25 }] }),
        created_at: Timestamp(1_234),
    })
}

/// Says it until it is heard: a subscription begins some time after `listen`.
async fn reach(sender: &SharedSignals, listener: &mut Receiver<Signal>, what: &Signal) -> Result<()> {
    let reaching = async {
        loop {
            _ = sender.send(std::slice::from_ref(what)).await;
            if let Ok(heard) = timeout(Duration::from_millis(200), listener.recv()).await
                && heard.ok().as_ref() == Some(what)
            {
                return;
            }
        }
    };
    timeout(PATIENCE, reaching).await.context("it is never heard")
}

async fn all_hear_all_in_order(sender: SharedSignals, other: SharedSignals) -> Result<()> {
    let mut listeners = [sender.listen(), other.listen(), other.listen()];
    for listener in &mut listeners {
        reach(&sender, listener, &grown("begin")).await?;
    }
    let sent: Vec<_> = (0..450).map(|n| if n % 3 == 0 { live() } else { grown(&format!("org-{n}")) }).collect();
    sender.send(&sent).await?;
    for listener in &mut listeners {
        let mut heard = Vec::new();
        while heard.len() < sent.len() {
            let signal = timeout(PATIENCE, listener.recv()).await.context("not all are heard")??;
            heard.extend((signal != grown("begin")).then_some(signal));
        }
        assert_eq!(heard, sent);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_listen_in_one_process_hear_all_in_order() -> Result<()> {
    let signals = Arc::new(MemoryQueue::default()).signals();
    all_hear_all_in_order(signals.clone(), signals).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_listen_to_a_redis_hear_all_in_order() -> Result<()> {
    let redis = Redis::start().await?;
    all_hear_all_in_order(open(&redis).await?, open(&redis).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_hears_again_after_redis_was_away_or_silent() -> Result<()> {
    let mut redis = Redis::start().await?;
    let (sender, other) = (open(&redis).await?, open(&redis).await?);
    let mut listener = other.listen();
    reach(&sender, &mut listener, &grown("before")).await?;
    redis.crash()?;
    assert!(sender.send(&[grown("lost")]).await.is_err());
    redis.restart().await?;
    reach(&sender, &mut listener, &grown("after a crash")).await?;
    redis.freeze()?;
    assert!(sender.send(&[grown("late")]).await.is_err());
    redis.thaw()?;
    reach(&sender, &mut listener, &grown("after silence")).await
}
