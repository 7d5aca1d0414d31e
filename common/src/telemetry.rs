//! Logging and metrics set-up. Config section `[log]`.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::metric::{self, Kind, Role};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// As in `RUST_LOG`, e.g. `info` or `info,reelgate_gateway=debug`.
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Sends log lines to standard error. A second call changes nothing.
///
/// # Errors
/// The level cannot be read.
pub fn init_logging(config: &LogConfig) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(&config.level)?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let outcome = match config.format {
        LogFormat::Text => registry.with(lines.with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    // Only fails when a subscriber is set already (tests with several servers in one process).
    drop(outcome);
    Ok(())
}

/// Renders this process's metrics as Prometheus text.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// How often samples are folded into their histograms; without it they pile up between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the metrics recorder of this process, keeps it small while nobody asks for it, and returns what renders it. Needs a runtime.
///
/// # Errors
/// One is installed already.
pub fn init_metrics(role: Role) -> Result<RenderMetrics, metrics_exporter_prometheus::BuildError> {
    let handle = builder()?.install_recorder()?;
    metric::announce(role);
    let kept = handle.clone();
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(UPKEEP);
        loop {
            turns.tick().await;
            kept.run_upkeep();
        }
    });
    Ok(Arc::new(move || handle.render()))
}

/// Buckets for each histogram: quantiles of several processes could not be put together.
fn builder() -> Result<PrometheusBuilder, metrics_exporter_prometheus::BuildError> {
    metric::ALL.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(buckets) => builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets),
        _ => Ok(builder),
    })
}
