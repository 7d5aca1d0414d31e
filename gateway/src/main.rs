//! The thin `gateway` program of production images: configuration, backends, signals, and the library. It has no libav.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use reelgate_common::{
    backends::Backends,
    config::RawConfig,
    metric::Role,
    profiles,
    program::{self, stop_on_signal},
    telemetry::{self, LogConfig, init_metrics},
    traces::TracesConfig,
};
use reelgate_gateway::GatewayConfig;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Serves uploads and streams; any number may run side by side.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
struct Arguments {
    /// Configuration file; the environment (`REELGATE__SECTION__KEY`) wins over it.
    #[arg(long, value_name = "FILE", env = "REELGATE_CONFIG")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    program::ended("gateway", start(&Arguments::parse()))
}

fn start(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    profiles::heap_by(profiles::jemalloc);
    program::block_on(run(arguments))?
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let raw = RawConfig::load(arguments.config.as_deref())?;
    let log: LogConfig = raw.section("log")?;
    let telemetry = telemetry::init(&log, &raw.section::<TracesConfig>("traces")?, Role::Gateway)?;
    let config = GatewayConfig::from_raw(&raw)?;
    let backends = Backends::open_shared(&raw).await?;
    let stop = stop_on_signal()?;
    let ran = reelgate_gateway::run(config, backends, Some(init_metrics(Role::Gateway)?), stop).await;
    telemetry.close().await;
    ran?;
    Ok(ExitCode::SUCCESS)
}
