//! Traces: the spans that are exported, and how a trace goes on in another process. Spans are `tracing`'s; only `export` and `otel` know
//! OpenTelemetry, and without the feature `traces` nobody does. Knows nothing of what is traced.
//!
//! A scope (`scope!`) is the work that somebody asked for: a request, an attempt, a delivery. The lines that are logged within it bear its
//! ids, whether or not it is exported. A step (`step!`) is a part of it, and costs nothing unless spans are exported.

pub mod config;
#[cfg(feature = "traces")]
mod export;
#[cfg(feature = "traces")]
mod otel;

use tracing::Span;

pub use self::config::TracesConfig;
#[cfg(feature = "traces")]
pub(crate) use self::export::{Exporter, start};

/// Targets of our spans. No crate has them, so no other span is taken for one of ours.
pub const SCOPE: &str = "reelgate::scope";
pub const STEP: &str = "reelgate::step";

/// The header that a trace comes with, and goes on with (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// A span for the work that somebody asked for. Error level, so that no setting of the log takes the ids from its lines.
#[macro_export]
macro_rules! scope {
    ($name:literal $($fields:tt)*) => {
        ::tracing::error_span!(
            target: "reelgate::scope", parent: ::tracing::Span::none(), $name, trace_id = ::tracing::field::Empty,
            otel.status_code = ::tracing::field::Empty, error.type = ::tracing::field::Empty $($fields)*
        )
    };
}

/// A span for a part of it.
#[macro_export]
macro_rules! step {
    ($name:literal $($fields:tt)*) => {
        ::tracing::info_span!(
            target: "reelgate::step", $name, otel.status_code = ::tracing::field::Empty,
            error.type = ::tracing::field::Empty $($fields)*
        )
    };
}

/// Lets a scope go on with the trace of `parent` (`traceparent`), or begin one, and gives its lines the trace's id. To be called before the
/// scope is entered. What is no `traceparent` is none.
pub fn adopt(scope: &Span, parent: Option<&str>) {
    #[cfg(feature = "traces")]
    otel::adopt(scope, parent);
    #[cfg(not(feature = "traces"))]
    let _ = (scope, parent);
}

/// What whoever goes on with the current span's work needs to know: a `traceparent`. None while nothing is exported.
#[must_use]
pub fn carried() -> Option<String> {
    #[cfg(feature = "traces")]
    return otel::carried(&Span::current());
    #[cfg(not(feature = "traces"))]
    None
}

/// The id of a scope's trace, for lines that are written outside of it.
#[must_use]
pub fn trace_id(scope: &Span) -> Option<String> {
    #[cfg(feature = "traces")]
    return otel::trace_id(scope);
    #[cfg(not(feature = "traces"))]
    {
        let _ = scope;
        None
    }
}

/// Something that the current span's work has reached, after so many milliseconds of computing.
pub fn reached(what: &str, computed_ms: Option<u64>) {
    #[cfg(feature = "traces")]
    otel::reached(&Span::current(), what, computed_ms);
    #[cfg(not(feature = "traces"))]
    let _ = (what, computed_ms);
}

/// Marks a span's work as failed. `code` is one of ours, never what somebody has said.
pub fn failed(span: &Span, code: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", code);
}
