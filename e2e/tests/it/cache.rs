//! What clients cost the object store, by the gateway's own figures, over a real Garage: bytes and requests, never times.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reelgate_e2e::{
    client::{Client, Upload},
    generated::generated,
    process::eventually,
    sign_in::SignIn,
    site::{Footing, Site},
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
    async fn start(memory: u64, disk: Option<&str>) -> Result<Self> {
        let mut builder = Site::builder(Footing::Production).workers(0);
        builder = builder.env("REELGATE__CACHE__MEMORY_BYTES", memory.to_string());
        if let Some(folder) = disk {
            builder = builder.env("REELGATE__CACHE__DISK_DIR", folder);
        }
        let site = builder.start().await?;
        let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
        let content = generated(0, usize::try_from(FILE_BYTES)?);
        let id = client.upload_one(Upload::bytes("large.bin", "application/octet-stream", content)).await?;
        let token = client.stream_token(&serde_json::json!({})).await?;
        let path = format!("/v1/files/stream/{id}?token={token}&rendition=source");
        Ok(Self { site, client, path })
    }

    fn path_by(&self, token: &str) -> String {
        let (place, _) = self.path.split_once('?').unwrap();
        format!("{place}?token={token}&rendition=source")
    }

    /// The sum of a counter over its labels.
    async fn figure(&self, name: &str) -> Result<u64> {
        let text = Client::new(self.site.gateways[0].ops_url()).get("/metrics").await?.expect(200)?.body;
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

/// Each client is a descriptor here and one in the gateway, which inherits the limit.
fn raise_descriptor_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_clients_on_a_cold_file_cause_each_byte_to_be_read_from_s3_once() -> Result<()> {
    raise_descriptor_limit()?;
    let cold = Cold::start(256 * MIB, None).await?;
    let wish = serde_json::json!({});
    // One playback may have 512 responses at once, so there are some more viewers.
    let viewers =
        stream::iter(0..VIEWERS).then(|_| cold.client.stream_token(&wish)).map_ok(|token| cold.path_by(&token));
    let viewers: Vec<String> = viewers.try_collect().await?;
    // Overlapping ranges, so that ten to twenty ask for each block at the same moment.
    let reads = (0..CLIENTS).map(|number| {
        let start = number * (FILE_BYTES / CLIENTS);
        cold.read_by(&viewers[usize::try_from(number % VIEWERS).unwrap()], start, MIB.min(FILE_BYTES - start))
    });
    stream::iter(reads).buffer_unordered(usize::try_from(CLIENTS)?).try_collect::<Vec<()>>().await?;
    assert_eq!(cold.read_of_storage().await?, FILE_BYTES, "bytes read from S3");
    let requests = cold.figure("reelgate_cache_storage_requests_total").await?;
    // Ranges begin in the middle of blocks, so the order in which they come decides how many runs a block is read in.
    ensure!(requests <= CLIENTS / 2, "{requests} requests for {} blocks", FILE_BYTES / MIB);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_seeks_ten_times_downloads_little_that_it_does_not_play() -> Result<()> {
    let cold = Cold::start(64 * MIB, None).await?;
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
    let folder = tempfile::tempdir()?;
    let mut cold = Cold::start(16 * MIB, folder.path().to_str()).await?;
    cold.read(0, 20 * MIB).await?;
    let on_disk = async |cold: &Cold| cold.figure("reelgate_cache_disk_bytes").await;
    eventually("all is kept", Duration::from_secs(30), async || on_disk(&cold).await.is_ok_and(|kept| kept > 20 * MIB))
        .await?;
    cold.site.restart_gateway(0).await?;
    cold.client = cold.site.client().signed_in(SignIn::member("alice", "acme").jwt());
    cold.read(0, 20 * MIB).await?;
    assert_eq!(cold.read_of_storage().await?, 0, "all of it was on disk");
    let id = cold.path.split(['/', '?']).nth(4).context("an id")?.to_owned();
    cold.client.delete(&format!("/v1/files/{id}")).await?.expect(200)?;
    eventually("its blocks are gone", Duration::from_secs(60), async || !folder.path().join(&id).exists()).await
}
