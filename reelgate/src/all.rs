//! `reelgate all`: gateway and worker in one process on the embedded backends. The same libraries as in production; only
//! what they are given differs.

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::Context;
use reelgate_common::{
    backends::Backends,
    config::RawConfig,
    lane::Lanes,
    metric::Role,
    program::stop_on_signal,
    telemetry::{self, init_metrics},
};
use reelgate_gateway::Gateway;

use crate::{cli, data_dir::DataDir, demo, parts, settings::Settings};

/// Serves until it is stopped.
pub(crate) async fn run(arguments: &cli::All, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    parts::listen_on(&mut settings, &arguments.listen);
    if arguments.demo {
        demo::permitted(settings.http.listen)?;
    }
    let telemetry = telemetry::init(&settings.log, &settings.traces, Role::Both)?;
    let dir = DataDir::at(&arguments.data_dir);
    // Held until everything below has stopped.
    let _lock = dir.lock()?;
    dir.fill_backends(&mut settings)?;
    dir.fill_secrets(&mut settings)?;
    let backends = open(&settings).await?;
    let served = serve(&settings, backends, arguments.demo).await;
    telemetry.close().await;
    served.map(|()| ExitCode::SUCCESS)
}

async fn open(settings: &Settings) -> anyhow::Result<Backends> {
    let backends =
        Backends::open(&settings.database, &settings.queue, &settings.storage).await?.with_lanes(settings.lanes);
    parts::migrate_database(&backends.db).await?;
    backends.check_deployment().await?;
    // The lock says that no other process works here, so whoever held these jobs is dead.
    let lost = backends.db.void_leases().await.context("cannot take over the jobs of the last run")?;
    if lost > 0 {
        tracing::info!(jobs = lost, "the last run was cut short; its jobs run again");
    }
    Ok(backends)
}

async fn serve(settings: &Settings, backends: Backends, demo: bool) -> anyhow::Result<()> {
    let stop = stop_on_signal()?;
    // Whatever ends this function also stops what it has started.
    let _stopped = stop.clone().drop_guard();
    let render = Some(init_metrics(Role::Both)?);
    let gateway = reelgate_gateway::start(settings.gateway_config(), backends.clone(), render, stop.clone()).await?;
    announce(settings, &gateway, demo)?;
    // The gateway's operations port is that of the process.
    let mut worker = settings.worker_config();
    worker.worker.ops_listen = None;
    // There is nobody else to serve the others.
    worker.worker.lanes = Lanes::ALL;
    let worked = reelgate_worker::run(worker, backends, None, stop.clone()).await;
    // A worker that could not start; otherwise it is cancelled already. Viewers are served until they have drained.
    stop.cancel();
    gateway.finished().await;
    Ok(worked?)
}

/// Scripts wait for this line.
#[expect(clippy::print_stdout, reason = "the address is this command's output")]
fn announce(settings: &Settings, gateway: &Gateway, demo: bool) -> anyhow::Result<()> {
    let (scheme, listen) = (settings.http.scheme(), gateway.http_address());
    let address = if demo { demo::address(&settings.auth, scheme, listen)? } else { format!("{scheme}://{listen}/") };
    println!("{address}");
    std::io::stdout().flush()?;
    Ok(())
}
