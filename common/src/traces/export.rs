//! Sends spans to a collector: OTLP over HTTP, in batches, out of a bounded queue, on a thread of the SDK's own. Whatever becomes of the
//! collector, only spans are lost, and that is said once each time.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{HttpClient as OtlpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::EnvResourceDetector,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::TracesConfig;
use crate::{
    http_client::{HttpClient, http_client},
    metric::Role,
};

/// Of an answer, which says little.
const MAX_ANSWER: usize = 64 << 10;
/// Spans in one request.
const BATCH: usize = 512;
/// Time for the last spans at the end of a process.
const LAST: Duration = Duration::from_secs(3);

/// Exports until it is closed.
pub(crate) struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("reelgate")
    }

    /// Sends what is left, for a moment. Needs the runtime.
    pub(crate) async fn close(self) {
        // An error says that they are lost, which the courier has said.
        let closing = tokio::task::spawn_blocking(move || drop(self.provider.shutdown_with_timeout(LAST)));
        drop(tokio::time::timeout(LAST, closing).await);
    }
}

/// Needs a runtime, which sends.
///
/// # Errors
/// A sentence that says why it cannot be set up.
pub(crate) fn start(config: &TracesConfig, endpoint: &str, role: Role) -> Result<Exporter, String> {
    let timeout = Duration::from_millis(config.timeout_ms);
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Courier::new(timeout))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(timeout)
        .build()
        .map_err(|error| error.to_string())?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(config.max_waiting)
        .with_max_export_batch_size(BATCH.min(config.max_waiting))
        .with_scheduled_delay(Duration::from_millis(config.flush_ms))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
        .with_resource(resource(role))
        .build();
    Ok(Exporter { provider })
}

/// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES hold.
fn resource(role: Role) -> Resource {
    let name = match role {
        Role::Gateway => "reelgate-gateway",
        Role::Worker => "reelgate-worker",
        Role::Both => "reelgate",
    };
    let own = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", name),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ]);
    let resource = own.with_detector(Box::new(EnvResourceDetector::new()));
    match std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()) {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// Carries requests over the product's own client: the SDK's thread has no runtime, and waits here for one.
#[derive(Debug)]
struct Courier {
    client: HttpClient<Full<Bytes>>,
    runtime: Handle,
    timeout: Duration,
    /// The last one did not arrive.
    lost: AtomicBool,
}

impl Courier {
    fn new(timeout: Duration) -> Self {
        Self { client: http_client(timeout), runtime: Handle::current(), timeout, lost: AtomicBool::new(false) }
    }

    fn tell(&self, why: Option<&str>) {
        match (self.lost.swap(why.is_some(), Ordering::Relaxed), why) {
            (false, Some(why)) => tracing::warn!(why, "the collector takes no spans; until it does they are lost"),
            (true, None) => tracing::info!("the collector takes spans again"),
            _ => {}
        }
    }
}

#[async_trait]
impl OtlpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = exchange(self.client.clone(), request.map(Full::new));
        let timeout = self.timeout;
        // Timers, too, are made where the runtime is.
        let sent = self.runtime.spawn(async move { tokio::time::timeout(timeout, exchange).await }).await;
        let answer = sent.map_err(Into::into).and_then(|sent| sent.unwrap_or_else(|late| Err(late.into())));
        match &answer {
            Ok(answer) if answer.status().is_success() => self.tell(None),
            Ok(answer) => self.tell(Some(answer.status().as_str())),
            Err(error) => self.tell(Some(&error.to_string())),
        }
        answer
    }
}

async fn exchange(
    client: HttpClient<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = client.request(request).await?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
