//! What real processes export, held against the list of metrics (`reelgate_common::metric`) and the pages and files that name them: none is
//! unknown, none is missing, and labels have no values but those that were allowed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod exposition;
mod named;

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_common::metric::{self, ALL, CONSTANTS, Kind, Metric, Role, Values};
use reelgate_e2e::{
    client::{Client, Upload},
    listener::Listener,
    ports::free_port,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use tokio::time::timeout;

use self::exposition::Exposition;
use crate::documentation::{root, texts_below};

const PATIENCE: Duration = Duration::from_secs(120);

/// What a film that is uploaded, processed, played and listened to cannot leave at zero.
const MOVED: &[Metric] = &[
    metric::BUILD_INFO,
    metric::HTTP_REQUESTS,
    metric::HTTP_REQUEST_DURATION,
    metric::HTTP_SENT_BYTES,
    metric::HTTP_CONNECTIONS,
    metric::STREAM_TOKENS_CHECKED,
    metric::INDEX_READS,
    metric::INDEX_READ_BYTES,
    metric::CACHE_MISSES,
    metric::CACHE_STORAGE_REQUESTS,
    metric::CACHE_STORAGE_BYTES,
    metric::CACHE_MEMORY_BYTES,
    metric::STORAGE_REQUESTS,
    metric::STORAGE_REQUEST_DURATION,
    metric::EVENTS_SENT,
    metric::MAINTENANCE_LEADER,
    metric::WORKER_ATTEMPTS,
    metric::WORKER_ATTEMPT_DURATION,
    metric::WORKER_SLOTS,
    metric::WORKER_MEMORY_LIMIT_BYTES,
];

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_is_exported_is_listed_and_every_listed_one_is_exported_embedded() -> Result<()> {
    check(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_is_exported_is_listed_and_every_listed_one_is_exported_production() -> Result<()> {
    check(Footing::Production).await
}

async fn check(footing: Footing) -> Result<()> {
    let worker = format!("127.0.0.1:{}", free_port());
    let site = Site::builder(footing).disk_cache().env("REELGATE__MAINTENANCE__GAUGES_MS", "200");
    let site = site.env("REELGATE__WORKER__OPS_LISTEN", &worker).start().await?;
    use_it(&site).await?;
    let gateway = site.gateways[0].ops_url();
    let roles = match footing {
        Footing::Embedded => vec![(gateway, Role::Both)],
        Footing::Production => vec![(gateway, Role::Gateway), (format!("http://{worker}"), Role::Worker)],
    };
    for (url, role) in roles {
        let ops = Client::new(url);
        let expected = || ALL.iter().filter(move |metric| role.has(metric.role));
        let moved = |exposition: &Exposition| {
            MOVED
                .iter()
                .filter(|metric| role.has(metric.role))
                .find(|metric| exposition.sum(metric.name) <= 0.0)
                .copied()
        };
        let mut still = None;
        eventually("everything has moved", PATIENCE, async || {
            still = Exposition::of(&ops).await.ok().and_then(|exposition| moved(&exposition));
            still.is_none()
        })
        .await
        .with_context(|| format!("{role}: still zero: {still:?}"))?;
        let exposition = Exposition::of(&ops).await?;
        for metric in expected() {
            exposition.fits(metric).with_context(|| format!("{role}: {}", metric.name))?;
        }
        let listed: BTreeSet<&str> = expected().map(|metric| metric.name).collect();
        let unlisted: Vec<&str> = exposition.names().filter(|name| !listed.contains(name)).collect();
        ensure!(unlisted.is_empty(), "{role}: not in the list: {unlisted:?}");
    }
    Ok(())
}

/// Everything that a person does with a film.
async fn use_it(site: &Site) -> Result<()> {
    let folder = Folder::new("metrics")?;
    let client = site.client().signed_in(SignIn::admin("alice", "acme").jwt());
    let mut listener = Listener::open(&client, "/v1/events", None).await?;
    let id = client.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    client.wait_settled(&id, PATIENCE).await?;
    let token = client.stream_token(&serde_json::json!({})).await?;
    let viewer = site.client();
    viewer.range(&format!("/v1/files/stream/{id}?token={token}"), 0..1_000).await?;
    let master = format!("/v1/files/stream/{id}/master.m3u8");
    let playlist = linked(&viewer, &format!("{master}?token={token}"), &master).await?;
    let segment = linked(&viewer, &playlist, &playlist).await?;
    viewer.get(&segment).await?.expect(200)?;
    timeout(PATIENCE, listener.next_durable()).await??;
    Ok(())
}

/// The first address that a playlist names, relative to where the playlist is.
async fn linked(viewer: &Client, address: &str, base: &str) -> Result<String> {
    let text = viewer.get(address).await?.expect(200)?.body;
    let text = String::from_utf8(text.to_vec())?;
    let line = text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).with_context(|| text.clone())?;
    let (folder, _) = base.rsplit_once('/').context("a path")?;
    Ok(format!("{folder}/{line}"))
}

#[test]
fn the_page_of_metrics_is_the_list() {
    let page = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let written: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let listed: Vec<String> = metric::rows().collect();
    assert!(written == listed, "docs/metrics.md should have these rows:\n{}", listed.join("\n"));
}

/// Nobody counts by a name of their own, and nothing is listed that nobody counts.
#[test]
fn what_is_counted_is_counted_by_the_list() {
    let sources = texts_below(["common/src", "gateway/src", "worker/src", "reelgate/src"]);
    let elsewhere: Vec<&String> = sources.iter().filter(|text| !text.contains("pub const ALL: &[Metric]")).collect();
    for constant in CONSTANTS {
        let word =
            |text: &&String| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == *constant);
        // More than the import.
        let uses = elsewhere
            .iter()
            .filter(|text| word(text))
            .map(|text| text.matches(constant).count())
            .max()
            .unwrap_or_default();
        assert!(uses > 1 || *constant == "BUILD_INFO", "{constant} is listed, and nobody counts it");
    }
    for text in &elsewhere {
        for maker in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            assert!(!text.contains(maker), "a metric outside the list: {maker}");
        }
    }
}

fn allows(values: Values, seen: &BTreeSet<String>) -> bool {
    match values {
        Values::Of(values) => seen.iter().all(|value| values.contains(&value.as_str())),
        Values::AtMost(most) => seen.len() <= most,
    }
}

fn kind_word(kind: Kind) -> String {
    kind.to_string()
}
