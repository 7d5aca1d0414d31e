//! The real gateway on a store without substance: what is put is counted and dropped, what is read is generated. So its
//! peak memory under a load is the gateway's own, and the load is as fast as the gateway, not as a disk. A process of its
//! own, because `VmHWM` is a process's. It knows nothing of the load.

mod storage;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::Parser;
use reelgate_common::{
    backends::Backends,
    config::{RawConfig, Secret},
    db::{Db, NewFile, StagedFile, config::DatabaseConfig},
    file::{FileKind, FileState},
    ids::{FileId, OrgId, UserId},
    key::Key,
    queue::{self, config::QueueConfig},
    storage::{SharedStorage, file::DirectoryStorage},
};
use reelgate_gateway::{GatewayConfig, start};
use tokio_util::sync::CancellationToken;

use crate::storage::DiscardingStorage;

/// The same as the `reelgate` command's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The same as the `reelgate` command's.
const BLOCKING_THREADS: usize = 32;

#[derive(Parser)]
struct Arguments {
    /// Where the database lies, and with `--directory` the objects.
    folder: PathBuf,
    /// Objects in a directory, as holes, instead of generated ones.
    #[arg(long)]
    directory: bool,
    /// How many files there are from the start, all of alice's of acme.
    #[arg(long, default_value_t = 0)]
    files: usize,
    /// Size of each of them.
    #[arg(long, default_value_t = 64 << 20)]
    file_bytes: u64,
}

fn main() -> anyhow::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.max_blocking_threads(BLOCKING_THREADS).enable_all().build()?.block_on(serve(Arguments::parse()))
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let mut config = GatewayConfig::from_raw(&RawConfig::load(None)?)?;
    config.http.listen.set_port(0);
    config.http.ops_listen.set_port(0);
    let backends = open(&arguments).await?;
    let gateway = start(config, backends, None, CancellationToken::new()).await?;
    announce(&format!("http://{}", gateway.http_address()))?;
    gateway.finished().await;
    Ok(())
}

/// The harness waits for this line.
fn announce(address: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{address}")?;
    output.flush()
}

async fn open(arguments: &Arguments) -> anyhow::Result<Backends> {
    let db = database(&arguments.folder).await?;
    let discarding = Arc::new(DiscardingStorage::default());
    let storage: SharedStorage = match arguments.directory {
        true => Arc::new(DirectoryStorage::open(&arguments.folder.join("objects"))?),
        false => discarding.clone(),
    };
    let backends = Backends { db, storage, queue: queue::open(&QueueConfig::default()).await? };
    backends.check_deployment().await?;
    for number in 0..arguments.files {
        let key = file_row(&backends.db, number, arguments.file_bytes).await?;
        match backends.storage.local_path(&key) {
            Some(path) => hole(&path, arguments.file_bytes)?,
            None => discarding.pretend(key, arguments.file_bytes),
        }
    }
    Ok(backends)
}

async fn database(folder: &Path) -> anyhow::Result<Db> {
    let url = Secret::new(format!("sqlite:{}", folder.join("reelgate.db").display()));
    // Generous, because the machine that runs the tests may be busy, and a thousand players open a lease each.
    let config = DatabaseConfig { url, timeout_ms: 30_000, ..DatabaseConfig::default() };
    let db = Db::connect(&config).await?;
    reelgate_migrations::up(db.connection()).await?;
    Ok(db)
}

/// The rows of a settled file, as if it had been uploaded and promoted; returns the name of its object.
async fn file_row(db: &Db, number: usize, size_bytes: u64) -> anyhow::Result<Key> {
    let (id, org) = (FileId::new(), OrgId::new("acme"));
    let source = Key::Source { org: org.clone(), file: id };
    let filename = format!("{number}.bin");
    let location = format!("2026/11/{id}/{filename}");
    let owner_id = UserId::new("alice");
    let new = NewFile {
        id,
        org_id: org.clone(),
        owner_id,
        location,
        filename,
        staging_key: source.clone(),
        repeat_key: None,
        labels: reelgate_common::labels::Labels::default(),
    };
    db.create_file(&new).await?;
    let staged = StagedFile {
        size_bytes,
        sha256: format!("{number:064x}"),
        content_type: "application/octet-stream".to_owned(),
        kind: FileKind::Other,
        state: FileState::Ready,
        version: None,
    };
    db.stage_file(&org, id, &staged, None).await?.context("a new upload was closed")?;
    Ok(source)
}

fn hole(path: &Path, size: u64) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    std::fs::File::create(path)?.set_len(size)
}
