//! Memory does not grow with file size or with the number of slow clients: the peak of a gateway of its own, under loads
//! that come from this process. `REELGATE_LOAD_GATEWAY` names another `discarding_gateway` than the one beside this test, e.g. a
//! release build.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "the figures are wanted, not only that they are met")]

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use reelgate_e2e::{
    client::{Client, id_of},
    generated::generated,
    process::{Folder, Launch, Process, eventually},
    sign_in::{AUTH_SECRET, SignIn, token_keys},
    slow_reader::SlowReader,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const MIB: u64 = 1 << 20;
const START: Duration = Duration::from_secs(60);

const UPLOADERS: usize = 20;
const UPLOAD_MIB: u64 = 1024;
const UPLOAD_LIMIT_MIB: u64 = 150;

const READERS: usize = 1_000;
const FILE_BYTES: u64 = 64 * MIB;
/// What a slow client takes at a time, and how often.
const SIP: usize = 4 * 1024;
const SIPS: usize = 32;
/// Players that start at the same moment; each start asks the database.
const STARTING: usize = 50;
const READ_LIMIT_MIB: u64 = 200;

/// A gateway in a process of its own. Dropping it kills it.
struct Gateway {
    process: Process,
    client: Client,
    _folder: Folder,
}

impl Gateway {
    async fn start(arguments: &[&str]) -> Result<Self> {
        raise_descriptor_limit()?;
        let folder = Folder::new("memory")?;
        let data = folder.path().to_string_lossy().into_owned();
        let process = Launch::new(program(), folder.join("gateway.log"))
            .clear_env()
            .env("REELGATE__AUTH__SECRET", AUTH_SECRET)
            .env("REELGATE__TOKENS__KEYS", token_keys())
            .envs(std::env::vars().filter(|(n, _)| n.contains("MALLOC_CONF")))
            .args(std::iter::once(data.as_str()).chain(arguments.iter().copied()))
            .start()?;
        let mut address = None;
        eventually("the gateway listens", START, async || {
            address = process.output().lines().find_map(|line| line.strip_prefix("http://").map(str::to_owned));
            address.is_some()
        })
        .await
        .with_context(|| process.output())?;
        let address = address.context("it listens")?;
        let client = Client::new(format!("http://{address}")).signed_in(SignIn::member("alice", "acme").jwt());
        Ok(Self { process, client, _folder: folder })
    }

    /// In MiB, rounded up.
    fn peak(&self) -> Result<u64> {
        Ok(self.process.status_kib("VmHWM")?.div_ceil(1024))
    }

    fn stays_under(&self, limit: u64, load: &str) -> Result<()> {
        let peak = self.peak()?;
        println!("{load}: {peak} MiB at the peak, limit {limit} MiB");
        ensure!(peak < limit, "{load}: the gateway took {peak} MiB, the limit is {limit} MiB");
        Ok(())
    }
}

fn program() -> PathBuf {
    let other = std::env::var_os("REELGATE_LOAD_GATEWAY").map(PathBuf::from);
    other.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_discarding_gateway")))
}

/// Each reader is a descriptor here and one there; children inherit the limit.
pub(crate) fn raise_descriptor_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let wanted = 4 * READERS as u64;
    ensure!(maximum.is_none_or(|maximum| maximum >= wanted), "this test needs ulimit -Hn {wanted}");
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

// ---- uploads ----

#[tokio::test(flavor = "multi_thread")]
async fn twenty_large_uploads_at_once_stay_within_the_gateways_memory() -> Result<()> {
    let gateway = Gateway::start(&[]).await?;
    // So that what an upload brings once (buffers, threads, the database's cache) is there before.
    upload(&gateway.client, 1).await?;
    gateway.process.forget_peak()?;
    let begun = std::time::Instant::now();
    try_join_all((0..UPLOADERS).map(|_| upload(&gateway.client, UPLOAD_MIB)))
        .await
        .with_context(|| gateway.process.output())?;
    println!("{UPLOADERS} uploads of {UPLOAD_MIB} MiB took {:.1} s", begun.elapsed().as_secs_f64());
    gateway.stays_under(UPLOAD_LIMIT_MIB, &format!("{UPLOADERS} clients uploading {UPLOAD_MIB} MiB each"))
}

async fn upload(client: &Client, mib: u64) -> Result<()> {
    let bytes = generated(0, usize::try_from(MIB)?);
    let mut upload = client.begin_upload("large.bin", mib * MIB).await?;
    for _ in 0..mib {
        upload.send(&bytes).await?;
    }
    let (status, answer) = upload.finish().await?;
    ensure!(status == 200, "{status}: {answer}");
    ensure!(answer["files"][0]["size_bytes"] == mib * MIB, "{answer}");
    Ok(())
}

// ---- slow readers ----

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_clients_stay_within_the_gateways_memory_generated() -> Result<()> {
    slow_clients(&[], generated).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_clients_stay_within_the_gateways_memory_directory() -> Result<()> {
    slow_clients(&["--directory"], |_, length| Bytes::from(vec![0; length])).await
}

/// Each at another place of another file, so that no two can share a block.
async fn slow_clients(storage: &[&str], content: fn(u64, usize) -> Bytes) -> Result<()> {
    let (files, size) = (format!("--files={READERS}"), format!("--file-bytes={FILE_BYTES}"));
    let gateway = Gateway::start(&[storage, &[&files, &size]].concat()).await?;
    let files = all_files(&gateway.client).await?;
    ensure!(files.len() == READERS, "{} files", files.len());
    let token = gateway.client.stream_token(&serde_json::json!({})).await?;
    gateway.process.forget_peak()?;
    let readers = files.iter().enumerate().map(async |(number, file)| {
        let place = number as u64 * (FILE_BYTES / 2 / READERS as u64);
        let path = format!("/v1/files/stream/{file}?token={token}&rendition=source");
        anyhow::Ok((SlowReader::open(gateway.client.base(), &path, place).await?, place))
    });
    let mut readers: Vec<_> =
        stream::iter(readers).buffered(STARTING).try_collect().await.with_context(|| gateway.process.output())?;
    // All of them take a little, again and again, so that each is in the middle of its film at the same time.
    for _ in 0..SIPS {
        try_join_all(readers.iter_mut().map(|(reader, place)| sip(reader, place, content))).await?;
    }
    let load = format!("{READERS} slow clients{}", if storage.is_empty() { "" } else { ", from a directory" });
    gateway.stays_under(READ_LIMIT_MIB, &load)?;
    drop(readers);
    Ok(())
}

async fn sip(reader: &mut SlowReader, place: &mut u64, content: fn(u64, usize) -> Bytes) -> Result<()> {
    ensure!(reader.take(SIP).await? == content(*place, SIP), "other bytes at {place}");
    *place += SIP as u64;
    Ok(())
}

async fn all_files(client: &Client) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut path = "/v1/files?limit=200".to_owned();
    loop {
        let page = client.get(&path).await?.expect(200)?.json()?;
        for file in page["files"].as_array().context("files")? {
            files.push(id_of(file)?);
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/files?limit=200&cursor={next}"),
            None => return Ok(files),
        }
    }
}
