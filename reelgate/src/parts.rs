//! `reelgate gateway`, `worker` and `migrate`: the production parts, each a thin start of its library.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use reelgate_common::{
    backends::Backends,
    config::RawConfig,
    db::Db,
    metric::Role,
    program::stop_on_signal,
    telemetry::{self, init_logging, init_metrics},
};

use crate::{
    cli::{self, Listen},
    data_dir::DataDir,
    settings::Settings,
};

/// Runs a gateway until it is stopped and drained.
pub(crate) async fn gateway(listen: &Listen, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let raw = RawConfig::load(config)?;
    let mut settings = Settings::load(&raw)?;
    listen_on(&mut settings, listen);
    let telemetry = telemetry::init(&settings.log, &settings.traces, Role::Gateway)?;
    let backends = Backends::open_shared(&raw).await?;
    let stop = stop_on_signal()?;
    let ran =
        reelgate_gateway::run(settings.gateway_config(), backends, Some(init_metrics(Role::Gateway)?), stop).await;
    telemetry.close().await;
    ran?;
    Ok(ExitCode::SUCCESS)
}

/// Flags win over the configuration.
pub(crate) fn listen_on(settings: &mut Settings, listen: &Listen) {
    settings.http.listen = listen.listen.unwrap_or(settings.http.listen);
    settings.http.ops_listen = listen.ops_listen.unwrap_or(settings.http.ops_listen);
}

/// Runs a worker until it is stopped.
pub(crate) async fn worker(arguments: &cli::Worker, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let raw = RawConfig::load(config)?;
    let mut settings = Settings::load(&raw)?;
    settings.worker.ops_listen = arguments.ops_listen.or(settings.worker.ops_listen);
    let telemetry = telemetry::init(&settings.log, &settings.traces, Role::Worker)?;
    let backends = Backends::open_shared(&raw).await?;
    let (metrics, stop) = (init_metrics(Role::Worker)?, stop_on_signal()?);
    let ran = reelgate_worker::run(settings.worker_config(), backends, Some(metrics), stop).await;
    telemetry.close().await;
    ran?;
    Ok(ExitCode::SUCCESS)
}

/// Brings the configured database, or that of a data folder, to this version.
pub(crate) async fn migrate(data_dir: Option<&Path>, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    init_logging(&settings.log)?;
    // A running embedded server has migrated its own, and must not be migrated under its feet.
    let _lock = match data_dir.map(DataDir::at) {
        Some(dir) => {
            let lock = dir.lock()?;
            dir.fill_backends(&mut settings)?;
            Some(lock)
        }
        None => None,
    };
    migrate_database(&Db::connect(&settings.database).await?).await?;
    tracing::info!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn migrate_database(db: &Db) -> anyhow::Result<()> {
    reelgate_migrations::up(db.connection()).await.context("cannot migrate the database")
}
