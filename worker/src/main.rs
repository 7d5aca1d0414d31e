//! The thin `worker` binary of production images: configuration, backends, signals, and the library.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use reelgate_common::{
    backends::Backends,
    config::RawConfig,
    metric::Role,
    telemetry::{self, LogConfig, init_metrics},
    traces::TracesConfig,
};
use reelgate_worker::{WorkerConfig, task::protocol::TASK_ARGUMENT};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

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
    match start(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is a command; logging may not be set up yet")]
fn complain(error: &anyhow::Error) {
    eprintln!("worker: {error:#}");
}

fn start(arguments: &Arguments) -> anyhow::Result<()> {
    // An error says that one is installed already.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(arguments));
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let raw = RawConfig::load(arguments.config.as_deref())?;
    let log: LogConfig = raw.section("log")?;
    let telemetry = telemetry::init(&log, &raw.section::<TracesConfig>("traces")?, Role::Worker)?;
    let config = WorkerConfig::load(&raw)?;
    let backends = Backends::open_shared(&raw).await?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let ran = reelgate_worker::run(config, backends, Some(init_metrics(Role::Worker)?), stop).await;
    telemetry.close().await;
    Ok(ran?)
}

fn stop_on_signal(stop: CancellationToken) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}
