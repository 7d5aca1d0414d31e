//! The thin `worker` program of production images: configuration, backends, signals, and the library.

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
use reelgate_worker::{WorkerConfig, task::protocol::TASK_ARGUMENT};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The worker of a production deployment: claims jobs and makes uploads playable.
#[derive(Debug, Parser)]
#[command(name = "worker", version)]
struct Arguments {
    /// Configuration file; the environment (`REELGATE__SECTION__KEY`) wins over it.
    #[arg(long, value_name = "FILE", env = "REELGATE_CONFIG")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Before anything else: a task must not start threads, read configuration or open connections.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == TASK_ARGUMENT) {
        return reelgate_worker::task_main();
    }
    program::ended("worker", start(&Arguments::parse()))
}

fn start(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    profiles::heap_by(profiles::jemalloc);
    program::block_on(run(arguments))?
}

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let raw = RawConfig::load(arguments.config.as_deref())?;
    let log: LogConfig = raw.section("log")?;
    let telemetry = telemetry::init(&log, &raw.section::<TracesConfig>("traces")?, Role::Worker)?;
    let config = WorkerConfig::load(&raw)?;
    let backends = Backends::open_shared(&raw).await?;
    let stop = stop_on_signal()?;
    let ran = reelgate_worker::run(config, backends, Some(init_metrics(Role::Worker)?), stop).await;
    telemetry.close().await;
    ran?;
    Ok(ExitCode::SUCCESS)
}
