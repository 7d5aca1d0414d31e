//! `reelgate bench`: what this machine and its services can do, measured in about a minute. The configured store, database and queue
//! are asked under names of the bench's own; encoding and streaming go through a gateway and a worker in this process, on a folder
//! of their own. Nothing of it stays.

mod media;
mod private;
mod report;
mod services;

use std::{future::Future, path::Path, process::ExitCode, time::Duration};

use reelgate_common::{
    backends::Backends,
    config::RawConfig,
    telemetry::{LogConfig, init_logging},
};
use tokio_util::sync::CancellationToken;

use self::{private::Private, report::Report};
use crate::{cli, data_dir::DataDir, settings::Settings, signals};

/// No part takes longer: one that does has its answer.
const LONGEST: Duration = Duration::from_secs(90);

/// Prints figures; fails when a part could not be measured.
pub(crate) async fn run(arguments: &cli::Bench, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    // The gateway and the worker of the bench say what they always say.
    init_logging(&LogConfig { level: "warn".to_owned(), ..settings.log.clone() })?;
    let dir = DataDir::meant(arguments.of.data_dir.as_deref(), &settings)?;
    if let Some(dir) = &dir {
        dir.fill_backends(&mut settings)?;
    }
    let is_configured = dir.is_some() || !settings.database.url.expose().starts_with("sqlite:");
    let stop = signals::stop_on_signal()?;
    let private = Private::start(&settings).await?;
    let mut report = Report::default();
    measure(&settings, is_configured, &private, &mut report, &stop).await;
    private.end().await;
    anyhow::ensure!(!stop.is_cancelled(), "stopped");
    report.print(arguments.json)?;
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(
    settings: &Settings,
    is_configured: bool,
    private: &Private,
    report: &mut Report,
    stop: &CancellationToken,
) {
    report.whose(is_configured);
    let nothing = async || Ok(());
    let configured = if is_configured {
        Backends::open(&settings.database, &services::own_queue(&settings.queue), &settings.storage).await
    } else {
        Ok(private.backends().clone())
    };
    match configured {
        Ok(backends) => {
            let (store, database) = (services::Store::new(&backends.storage), services::Database::new(&backends.db));
            part(report, stop, "store", store.measured(), store.cleaned()).await;
            part(report, stop, "database", database.measured(), database.cleaned()).await;
            let queue = &backends.queue;
            part(report, stop, "queue", services::queue(queue), async { Ok(queue.forget().await?) }).await;
        }
        Err(error) => report.skip("store, database, queue", &format!("{:#}", anyhow::Error::from(error))),
    }
    part(report, stop, "streaming", media::streaming(private), nothing()).await;
    part(report, stop, "encoding", media::encoding(private), nothing()).await;
}

/// `clean` runs to its end whatever becomes of `work`.
async fn part(
    report: &mut Report,
    stop: &CancellationToken,
    what: &str,
    work: impl Future<Output = anyhow::Result<Vec<report::Figure>>>,
    clean: impl Future<Output = anyhow::Result<()>>,
) {
    match stop.run_until_cancelled(tokio::time::timeout(LONGEST, work)).await {
        Some(Ok(Ok(figures))) => report.add(figures),
        Some(Ok(Err(error))) => report.skip(what, &format!("{error:#}")),
        Some(Err(_)) => report.skip(what, &format!("it takes longer than {} s", LONGEST.as_secs())),
        None => report.skip(what, "stopped"),
    }
    if let Err(error) = clean.await {
        report.skip(what, &format!("it could not be cleaned up: {error:#}"));
    }
}
