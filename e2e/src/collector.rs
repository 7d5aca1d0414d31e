//! A collector of spans, as an OpenTelemetry Collector is one: OTLP over HTTP, protobuf. Keeps what came.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1 as otlp,
};
use prost::Message;
use serde::Serialize;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::process::eventually;

/// One span as it came. Ids are hexadecimal.
#[derive(Debug, Clone, Serialize)]
pub struct Span {
    pub service: String,
    pub trace: String,
    pub id: String,
    /// Empty: it begins the trace.
    pub parent: String,
    pub name: String,
    pub kind: String,
    pub begin_ns: u64,
    pub end_ns: u64,
    pub failed: bool,
    pub attributes: BTreeMap<String, String>,
    /// Name and time.
    pub events: Vec<(String, u64)>,
}

impl Span {
    /// An attribute as text; empty without it.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Its duration.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.begin_ns))
    }
}

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Span>,
    /// Bodies as they came.
    raw: Vec<Bytes>,
    connections: usize,
    /// What was no export.
    wrong: Vec<String>,
}

/// A running collector. Dropping it stops it from taking more.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    task: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    /// On a free port.
    ///
    /// # Errors
    /// There is none.
    pub async fn start() -> Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// # Errors
    /// The address is taken.
    pub async fn start_on(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let taken: Arc<Mutex<Taken>> = Arc::default();
        let into = taken.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                locked(&into).connections += 1;
                let into = into.clone();
                let service = service_fn(move |request| take(into.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, taken, task })
    }

    /// What `traces.endpoint` is to be.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn connections(&self) -> usize {
        locked(&self.taken).connections
    }

    /// All that came, as bytes.
    #[must_use]
    pub fn raw(&self) -> Vec<Bytes> {
        locked(&self.taken).raw.clone()
    }

    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        locked(&self.taken).spans.clone()
    }

    /// Waits for all spans that make `enough`.
    ///
    /// # Errors
    /// They do not come within `limit`, or something came that is no export.
    pub async fn wait(&self, what: &str, limit: Duration, enough: impl Fn(&[Span]) -> bool) -> Result<Vec<Span>> {
        eventually(what, limit, async || enough(&self.spans()))
            .await
            .with_context(|| format!("{:#?}", self.spans().iter().map(|span| &span.name).collect::<Vec<_>>()))?;
        let taken = locked(&self.taken);
        ensure!(taken.wrong.is_empty(), "{:?}", taken.wrong);
        Ok(taken.spans.clone())
    }
}

fn locked(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(into: Arc<Mutex<Taken>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let head = format!("{} {} {:?}", request.method(), request.uri(), request.headers().get("content-type"));
    let right = head == r#"POST /v1/traces Some("application/x-protobuf")"#;
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let mut taken = locked(&into);
    let read = body.ok().and_then(|body| Some((ExportTraceServiceRequest::decode(body.clone()).ok()?, body)));
    match read.filter(|_| right) {
        Some((export, body)) => {
            taken.spans.extend(spans(export));
            taken.raw.push(body);
            Ok(Response::new(Full::default()))
        }
        None => {
            taken.wrong.push(head);
            let mut refused = Response::new(Full::default());
            *refused.status_mut() = StatusCode::BAD_REQUEST;
            Ok(refused)
        }
    }
}

fn spans(export: ExportTraceServiceRequest) -> Vec<Span> {
    let of_service = |resource: otlp::ResourceSpans| {
        let attributes = named(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        let service = attributes.get("service.name").cloned().unwrap_or_default();
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| of(service.clone(), span)).collect::<Vec<_>>()
    };
    export.resource_spans.into_iter().flat_map(of_service).collect()
}

fn of(service: String, span: otlp::Span) -> Span {
    Span {
        service,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind().as_str_name().trim_start_matches("SPAN_KIND_").to_ascii_lowercase(),
        begin_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        failed: span.status.is_some_and(|status| status.code() == otlp::status::StatusCode::Error),
        attributes: named(span.attributes),
        events: span.events.into_iter().map(|event| (event.name, event.time_unix_nano)).collect(),
        name: span.name,
    }
}

fn named(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::DoubleValue(number)) => number.to_string(),
        Some(any_value::Value::BoolValue(yes)) => yes.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Spans of one trace, to be asked who is whose.
#[derive(Debug, Clone)]
pub struct Tree(pub Vec<Span>);

impl Tree {
    /// Those of a trace among others.
    #[must_use]
    pub fn of(spans: &[Span], trace: &str) -> Self {
        Self(spans.iter().filter(|span| span.trace == trace).cloned().collect())
    }

    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Span> {
        self.0.iter().filter(move |span| span.name == name)
    }

    /// The only one of that name.
    ///
    /// # Errors
    /// There is none, or more.
    pub fn one(&self, name: &str) -> Result<&Span> {
        let found: Vec<_> = self.0.iter().filter(|span| span.name == name).collect();
        ensure!(found.len() == 1, "{} spans {name:?} among {:?}", found.len(), self.names());
        Ok(found[0])
    }

    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.0.iter().map(|span| span.name.as_str()).collect()
    }

    /// The names of those above a span, the nearest first.
    #[must_use]
    pub fn above<'a>(&'a self, span: &Span) -> Vec<&'a str> {
        let above = std::iter::successors(self.with_id(&span.parent), |above| self.with_id(&above.parent));
        above.map(|above| above.name.as_str()).collect()
    }

    fn with_id<'a>(&'a self, id: &str) -> Option<&'a Span> {
        self.0.iter().find(|span| span.id == id)
    }
}
