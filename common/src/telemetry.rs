//! Logging, traces and metrics set-up. Config section `[log]`.

mod asked;
mod lines;

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use serde::{Deserialize, Serialize};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use self::{
    asked::Asked,
    lines::{Ids, Lines},
};
use crate::{
    metric::{self, Kind, Role},
    traces::{STEP, TracesConfig},
};

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

/// Why logging or traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("section [log]: level cannot be read")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    #[error("section [traces]: {0}")]
    Traces(String),
}

/// Sends log lines to standard error. A second call changes nothing.
///
/// # Errors
/// The level cannot be read.
pub fn init_logging(config: &LogConfig) -> Result<(), TelemetryError> {
    let lines = lines(config.format, &config.level, std::io::stderr)?;
    // Only fails when a subscriber is set already (tests with several servers in one process).
    drop(tracing_subscriber::registry().with(lines).try_init());
    Ok(())
}

/// As `init_logging`, and exports spans if anybody says where to. Needs a runtime.
///
/// # Errors
/// The level cannot be read, or traces are wanted that cannot be had.
pub fn init(log: &LogConfig, traces: &TracesConfig, role: Role) -> Result<Telemetry, TelemetryError> {
    let destination = traces.destination(|name| std::env::var(name).ok()).map_err(TelemetryError::Traces)?;
    let Some(endpoint) = destination else {
        init_logging(log)?;
        return Ok(Telemetry::default());
    };
    init_both(log, traces, &endpoint, role)
}

#[cfg(feature = "traces")]
fn init_both(log: &LogConfig, traces: &TracesConfig, endpoint: &str, role: Role) -> Result<Telemetry, TelemetryError> {
    use tracing_subscriber::filter::{LevelFilter, filter_fn};
    let lines = lines(log.format, &log.level, std::io::stderr)?;
    let exporter = crate::traces::start(traces, endpoint, role).map_err(TelemetryError::Traces)?;
    // Nothing but our own spans: what libraries say in theirs is nobody's business.
    let ours = |metadata: &tracing::Metadata<'_>| {
        metadata.is_span() && matches!(metadata.target(), crate::traces::SCOPE | STEP)
    };
    let spans = tracing_opentelemetry::layer()
        .with_tracer(exporter.tracer())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(filter_fn(ours).with_max_level_hint(LevelFilter::INFO));
    drop(tracing_subscriber::registry().with(lines).with(spans).try_init());
    tracing::info!(endpoint, sample_ratio = traces.sample_ratio, "spans are exported");
    Ok(Telemetry { exporter: Some(exporter) })
}

#[cfg(not(feature = "traces"))]
fn init_both(_: &LogConfig, _: &TracesConfig, _: &str, _: Role) -> Result<Telemetry, TelemetryError> {
    Err(TelemetryError::Traces("this build exports no spans: it was made without the feature `traces`".to_owned()))
}

/// What of it must be closed at the end of a process.
#[derive(Default)]
#[must_use]
pub struct Telemetry {
    #[cfg(feature = "traces")]
    exporter: Option<crate::traces::Exporter>,
}

impl Telemetry {
    /// Sends the last spans, for at most a moment.
    pub async fn close(self) {
        #[cfg(feature = "traces")]
        if let Some(exporter) = self.exporter {
            exporter.close().await;
        }
    }
}

/// Lines of the log as they are wanted. Steps are for traces alone.
fn lines<S, W>(format: LogFormat, level: &str, sink: W) -> Result<impl Layer<S>, TelemetryError>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let no_steps = format!("{STEP}=off").parse()?;
    let filter = EnvFilter::builder().parse(level)?.add_directive(no_steps);
    let lines = fmt::layer().with_ansi(false).fmt_fields(Ids).event_format(Lines(format));
    Ok(lines.with_writer(sink).with_filter(Asked(filter)))
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
