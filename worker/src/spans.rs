//! Spans of an attempt and of its steps. An attempt is a consumer of its job's (OpenTelemetry's conventions of messaging): a child of what
//! has made the job, so that all attempts are in one trace, whoever makes them.

use std::collections::HashMap;

use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use reelgate_common::{db::Attempt, ids::ProcessId, scope, step, traces};
use tracing::{Instrument, Span, field::Empty};

use crate::{halt::Halt, settle::Outcome};

pub(crate) fn attempt(attempt: &Attempt, worker: &ProcessId) -> Span {
    let (fence, job) = (&attempt.fence, &attempt.job);
    let span = scope!(
        "attempt", otel.name = "process jobs", otel.kind = "consumer", messaging.system = "reelgate",
        messaging.destination.name = "jobs", messaging.operation.type = "process", messaging.operation.name = "process",
        messaging.message.id = %job.id, job.id = %job.id, file.id = %fence.file_id, generation = fence.generation,
        attempt = fence.attempt, worker = worker.as_str(), reelgate.job.kind = job.kind.as_str(),
        reelgate.job.failures = job.failures, reelgate.job.losses = job.losses, reelgate.outcome = Empty,
    );
    traces::adopt(&span, job.trace.as_deref());
    span
}

/// How the attempt that is the current span has ended.
pub(crate) fn ended(outcome: &Outcome) {
    let (span, kind) = (Span::current(), outcome.kind().as_str());
    span.record("reelgate.outcome", kind);
    match outcome {
        Outcome::Failed(failure) => traces::failed(&span, &failure.code),
        Outcome::Away(_) | Outcome::Lost => traces::failed(&span, kind),
        Outcome::Finished | Outcome::Split | Outcome::Interrupted | Outcome::Cancelled => {}
    }
}

/// A step within its span, which says whether it failed and never why in words: these may be of the file. Boxed, for futures within
/// futures are moved as a whole, and these are many.
pub(crate) fn traced<'a, T: 'a>(
    span: Span,
    step: impl Future<Output = Result<T, Halt>> + Send + 'a,
) -> BoxFuture<'a, Result<T, Halt>> {
    let step = step.instrument(span.clone()).inspect_err(move |halt| match halt {
        Halt::Failed(failure) => traces::failed(&span, &failure.code),
        Halt::Stale => traces::failed(&span, "stale"),
        Halt::Away(_) => traces::failed(&span, "away"),
    });
    step.boxed()
}

/// Of the outputs of one encoding, by their names: a span from its beginning until it is published, and one until it is encoded.
#[derive(Default)]
pub(crate) struct Outputs(HashMap<String, (Span, Span)>);

impl Outputs {
    pub(crate) fn begin<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let spans = names.map(|name| {
            let whole = step!("rendition", reelgate.rendition = name);
            let encoding = whole.in_scope(|| step!("encode rendition", reelgate.rendition = name));
            (name.to_owned(), (whole, encoding))
        });
        Self(spans.collect())
    }

    /// It is encoded; what becomes of it now belongs to the span.
    pub(crate) fn encoded(&mut self, name: &str) -> Span {
        self.0.remove(name).map_or_else(Span::none, |(whole, _)| whole)
    }

    /// It is not made.
    pub(crate) fn refused(&mut self, name: &str, code: &str) {
        if let Some((whole, encoding)) = self.0.remove(name) {
            traces::failed(&whole, code);
            traces::failed(&encoding, code);
        }
    }
}
