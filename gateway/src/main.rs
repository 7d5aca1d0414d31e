//! The `gateway` command: configuration, production backends, signals. All else is the library's.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Parser;
use reelgate_common::{
    backends::Backends,
    config::RawConfig,
    db::config::DatabaseConfig,
    metric::Role,
    queue::config::QueueConfig,
    storage::config::StorageConfig,
    telemetry::{self, LogConfig, init_metrics},
    traces::TracesConfig,
};
use reelgate_gateway::{GatewayConfig, run};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Serves uploads and streams; any number may run side by side.
#[derive(Parser)]
#[command(name = "gateway", version)]
struct Arguments {
    /// Configuration file; REELGATE__SECTION__KEY in the environment overrides it.
    #[arg(long, env = "REELGATE_CONFIG")]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let raw = RawConfig::load(arguments.config.as_deref())?;
    let traces = raw.section::<TracesConfig>("traces")?;
    let telemetry = telemetry::init(&raw.section::<LogConfig>("log")?, &traces, Role::Gateway)?;
    let config = GatewayConfig::from_raw(&raw)?;
    let (database, queue) = (raw.section::<DatabaseConfig>("database")?, raw.section::<QueueConfig>("queue")?);
    refuse_embedded(&database, &queue)?;
    let metrics = init_metrics(Role::Gateway).context("metrics cannot be set up")?;

    let backends = Backends::open(&database, &queue, &raw.section::<StorageConfig>("storage")?).await?;
    let backends = backends.with_lanes(raw.section("lanes")?);
    backends.check_deployment().await?;
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));
    let ran = run(config, backends, Some(metrics), stop).await;
    telemetry.close().await;
    Ok(ran?)
}

/// Several processes cannot share what lives in one of them.
fn refuse_embedded(database: &DatabaseConfig, queue: &QueueConfig) -> anyhow::Result<()> {
    if database.url.expose().starts_with("sqlite:") {
        bail!("database.url is sqlite:, which only `reelgate all` can use; set it to postgres://…");
    }
    if queue.url.expose().starts_with("memory:") {
        bail!("queue.url is memory:, which only `reelgate all` can use; set it to redis://…");
    }
    Ok(())
}

/// The first SIGTERM or SIGINT drains.
async fn cancel_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: responses under way may finish");
    stop.cancel();
    Ok(())
}
