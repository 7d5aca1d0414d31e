//! `reelgate bench`: what this machine and its services can do, measured in about a minute. The configured store, database and queue
//! are asked under names of the bench's own; encoding and streaming go through a gateway and a worker in this process, on a folder
//! of their own. Nothing of it stays.

mod media;
mod private;
mod report;
mod services;

use std::{future::Future, path::Path, pin::pin, process::ExitCode, time::Duration};

use anyhow::Context;
use reelgate_common::{
    backends::Backends,
    config::RawConfig,
    program::stop_on_signal,
    telemetry::{LogConfig, init_logging},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::{
    private::Private,
    report::{Figure, Report},
};
use crate::{cli, data_dir::DataDir, settings::Settings};

/// No part takes longer: one that does has its answer.
const LONGEST: Duration = Duration::from_secs(90);
/// How long the step that a part is at may take when the part has to end.
const STEP: Duration = Duration::from_secs(30);

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
    let stop = stop_on_signal()?;
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
            part(report, stop, "store", async |enough| store.measured(enough).await, store.cleaned()).await;
            part(report, stop, "database", async |enough| database.measured(enough).await, database.cleaned()).await;
            let queue = &backends.queue;
            let forgotten = async { Ok(queue.forget().await?) };
            part(report, stop, "queue", async |enough| services::queue(queue, enough).await, forgotten).await;
        }
        Err(error) => report.skip("store, database, queue", &format!("{:#}", anyhow::Error::from(error))),
    }
    let streaming = async |enough: &CancellationToken| at_once(enough, media::streaming(private)).await;
    part(report, stop, "streaming", streaming, nothing()).await;
    let encoding = async |enough: &CancellationToken| at_once(enough, media::encoding(private)).await;
    part(report, stop, "encoding", encoding, nothing()).await;
}

/// Leaves `work` where it stands when it is enough. For what works in a folder that goes as a whole.
async fn at_once(
    enough: &CancellationToken,
    work: impl Future<Output = anyhow::Result<Vec<Figure>>>,
) -> anyhow::Result<Vec<Figure>> {
    enough.run_until_cancelled(work).await.context("ended early")?
}

/// `work` is told when it is enough, and ends the step that it is at: one left half-way may still write when everything has been
/// cleaned up. `clean` runs to its end whatever becomes of `work`.
async fn part(
    report: &mut Report,
    stop: &CancellationToken,
    what: &str,
    work: impl AsyncFnOnce(&CancellationToken) -> anyhow::Result<Vec<Figure>>,
    clean: impl Future<Output = anyhow::Result<()>>,
) {
    let enough = stop.child_token();
    let mut work = pin!(work(&enough));
    let done = tokio::select! {
        done = &mut work => Some(done),
        () = sleep(LONGEST) => None,
        () = stop.cancelled() => None,
    };
    match done {
        Some(Ok(figures)) if !stop.is_cancelled() => report.add(figures),
        Some(Err(error)) => report.skip(what, &format!("{error:#}")),
        Some(Ok(_)) => report.skip(what, "stopped"),
        None => {
            let longest = format!("it takes longer than {} s", LONGEST.as_secs());
            report.skip(what, if stop.is_cancelled() { "stopped" } else { &longest });
            enough.cancel();
            if timeout(STEP, work).await.is_err() {
                report.skip(what, &format!("a step of it did not end within {} s", STEP.as_secs()));
            }
        }
    }
    if let Err(error) = clean.await {
        report.skip(what, &format!("it could not be cleaned up: {error:#}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_is_stopped_ends_its_step_before_it_is_cleaned_up() {
        let (stop, ended, clean) = (CancellationToken::new(), AtomicBool::new(false), AtomicBool::new(false));
        let mut report = Report::default();
        let work = async |enough: &CancellationToken| {
            stop.cancel();
            enough.cancelled().await;
            tokio::task::yield_now().await;
            ended.store(true, Ordering::Relaxed);
            Ok(Vec::new())
        };
        let cleaned = async {
            clean.store(ended.load(Ordering::Relaxed), Ordering::Relaxed);
            Ok(())
        };
        part(&mut report, &stop, "store", work, cleaned).await;
        assert!(clean.load(Ordering::Relaxed), "cleaned up while its step went on");
        assert!(!report.is_whole(), "what was stopped counts as measured");
    }
}
