//! What clients cost the object store, by the gateway's own figures, over a real Garage: bytes and requests, never times.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reelgate_e2e::{
    client::{Client, Upload},
    generated::generated,
    process::eventually,
    sign_in::SignIn,
    site::{Builder, Footing, Site},
    slow_reader::SlowReader,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const MIB: u64 = 1 << 20;
const FILE_BYTES: u64 = 100 * MIB;
const CLIENTS: u64 = 1_000;
const VIEWERS: u64 = 8;

/// A production site with one file that nobody has read, and a client that may.
struct Cold {
    site: Site,
    client: Client,
    path: String,
}

impl Cold {
    async fn start(builder: Builder, memory: u64) -> Result<Self> {
        let site = builder.workers(0).env("REELGATE__CACHE__MEMORY_BYTES", memory.to_string()).start().await?;
        let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
        let content = generated(0, usize::try_from(FILE_BYTES)?);
        let id = client.upload_one(Upload::bytes("large.bin", "application/octet-stream", content)).await?;
        let token = client.stream_token(&serde_json::json!({})).await?;
        let path = format!("/v1/files/stream/{id}?token={token}&rendition=source");
        Ok(Self { site, client, path })
    }

    fn id(&self) -> Result<&str> {
        self.path.split(['/', '?']).nth(4).context("an id")
    }

    fn path_by(&self, token: &str) -> String {
        let (place, _) = self.path.split_once('?').unwrap();
        format!("{place}?token={token}&rendition=source")
    }

    /// The sum of a counter of the first gateway over its labels.
    async fn figure(&self, name: &str) -> Result<u64> {
        self.figure_of(0, name).await
    }

    async fn figure_of(&self, gateway: usize, name: &str) -> Result<u64> {
        let text = Client::new(self.site.gateways[gateway].ops_url()).get("/metrics").await?.expect(200)?.body;
        let lines = std::str::from_utf8(&text)?.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().context("a value")?.parse::<u64>().context("a count")).sum()
    }

    async fn read_of_storage(&self) -> Result<u64> {
        self.figure("reelgate_cache_storage_bytes_total").await
    }

    async fn read(&self, start: u64, length: u64) -> Result<()> {
        self.read_by(&self.path, start, length).await
    }

    async fn read_by(&self, path: &str, start: u64, length: u64) -> Result<()> {
        let got: Bytes = self.client.range(path, start..start + length).await?;
        ensure!(got == generated(start, usize::try_from(length)?), "other bytes at {start}");
        Ok(())
    }
}

fn production() -> Builder {
    Site::builder(Footing::Production)
}

/// Each client is a descriptor here and one in the gateway, which inherits the limit.
fn raise_descriptor_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Requests of exactly a block each, ten for every block, all at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_on_a_cold_file_cause_each_block_to_be_read_from_s3_once() -> Result<()> {
    raise_descriptor_limit()?;
    let cold = Cold::start(production(), 256 * MIB).await?;
    let wish = serde_json::json!({});
    // One playback may have 512 responses at once, so there are some more viewers.
    let viewers =
        stream::iter(0..VIEWERS).then(|_| cold.client.stream_token(&wish)).map_ok(|token| cold.path_by(&token));
    let viewers: Vec<String> = viewers.try_collect().await?;
    let blocks = FILE_BYTES / MIB;
    let reads = (0..CLIENTS)
        .map(|number| cold.read_by(&viewers[usize::try_from(number % VIEWERS).unwrap()], number % blocks * MIB, MIB));
    stream::iter(reads).buffer_unordered(usize::try_from(CLIENTS)?).try_collect::<Vec<()>>().await?;
    assert_eq!(cold.read_of_storage().await?, FILE_BYTES, "bytes read from S3");
    assert_eq!(cold.figure("reelgate_cache_storage_requests_total").await?, blocks, "requests of S3");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_seeks_ten_times_downloads_little_that_it_does_not_play() -> Result<()> {
    let cold = Cold::start(production(), 64 * MIB).await?;
    for seek in 0..10 {
        let place = seek * 9 * MIB + 12_345;
        let mut reader = SlowReader::open(cold.client.base(), &cold.path, place).await?;
        ensure!(reader.take(200_000).await? == generated(place, 200_000), "other bytes at {place}");
    }
    let sent = "reelgate_http_sent_bytes_total";
    // A response is counted when it has ended, which the gateway notices a moment after the client has left.
    eventually("all is counted", Duration::from_secs(30), async || {
        let text = cold.figure("reelgate_http_requests_total{route=\"stream").await;
        text.is_ok_and(|answered| answered >= 10)
    })
    .await?;
    let (sent, read) = (cold.figure(sent).await?, cold.read_of_storage().await?);
    ensure!(read <= sent + 4 * MIB + 10 * 2 * MIB, "{read} bytes were read from S3, {sent} were sent");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_on_disk_outlive_a_restart_and_not_their_file() -> Result<()> {
    let mut cold = Cold::start(production().disk_cache(), 16 * MIB).await?;
    cold.read(0, 20 * MIB).await?;
    all_is_on_disk(&cold, 0).await?;
    cold.site.restart_gateway(0).await?;
    cold.client = cold.site.client().signed_in(SignIn::member("alice", "acme").jwt());
    cold.read(0, 20 * MIB).await?;
    assert_eq!(cold.read_of_storage().await?, 0, "all of it was on disk");
    cold.client.delete(&format!("/v1/files/{}", cold.id()?)).await?.expect(200)?;
    let kept = cold.site.disk_cache(0).join(cold.id()?);
    eventually("its blocks are gone", Duration::from_secs(60), async || !kept.exists()).await
}

async fn all_is_on_disk(cold: &Cold, gateway: usize) -> Result<()> {
    eventually("all is kept", Duration::from_secs(30), async || {
        cold.figure_of(gateway, "reelgate_cache_disk_bytes").await.is_ok_and(|kept| kept > 20 * MIB)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_through_another_gateway_empties_this_ones_memory_and_disk() -> Result<()> {
    let cold = Cold::start(production().gateways(2).disk_cache(), 64 * MIB).await?;
    cold.read(0, 20 * MIB).await?;
    all_is_on_disk(&cold, 0).await?;
    let in_memory = async || cold.figure("reelgate_cache_memory_bytes").await.unwrap_or(u64::MAX);
    ensure!(in_memory().await >= 20 * MIB, "{} bytes in memory", in_memory().await);
    let kept = cold.site.disk_cache(0).join(cold.id()?);
    ensure!(kept.exists(), "nothing at {}", kept.display());
    let other = cold.site.gateways[1].client().signed_in(SignIn::member("alice", "acme").jwt());
    other.delete(&format!("/v1/files/{}", cold.id()?)).await?.expect(200)?;
    // The promise is a minute; a machine under load gets some more.
    eventually("its blocks are gone", Duration::from_secs(90), async || !kept.exists() && in_memory().await == 0).await
}

/// What a player does for every range. Rows are remembered for two seconds, so that a slow machine asks some more.
#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_asks_again_and_again_is_checked_once_in_a_while() -> Result<()> {
    let cold = Cold::start(production(), 64 * MIB).await?;
    let begun = Instant::now();
    // With nothing but the token, as a browser's player asks.
    let player = cold.site.client();
    for turn in 0..300 {
        let start = turn % 8 * 65_536;
        ensure!(player.range(&cold.path, start..start + 65_536).await? == generated(start, 65_536), "turn {turn}");
    }
    let most = 2 + begun.elapsed().as_secs();
    let checked = cold.figure("reelgate_stream_tokens_checked_total").await?;
    ensure!((1..=most).contains(&checked), "{checked} signatures checked for 300 requests, at most {most} are due");
    Ok(())
}
