//! Our spans as OpenTelemetry's: whom they go on from, and what goes on with them. `tracestate` is not passed on (W3C allows it): it is
//! text of others.

use std::collections::HashMap;

use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::TRACEPARENT;

pub(super) fn adopt(scope: &Span, parent: Option<&str>) {
    if let Some(parent) = parent.and_then(parsed) {
        // Fails where nothing is exported.
        let _ = scope.set_parent(parent);
    }
    if let Some(id) = trace_id(scope) {
        scope.record("trace_id", id);
    }
}

fn parsed(parent: &str) -> Option<Context> {
    let header = HashMap::from([(TRACEPARENT.to_owned(), parent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &header);
    context.span().span_context().is_valid().then_some(context)
}

fn context_of(span: &Span) -> Option<SpanContext> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context().span().span_context().clone();
    context.is_valid().then_some(context)
}

pub(super) fn carried(span: &Span) -> Option<String> {
    let context = context_of(span)?;
    let flags = u8::from(context.trace_flags().is_sampled());
    Some(format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()))
}

pub(super) fn trace_id(scope: &Span) -> Option<String> {
    Some(context_of(scope)?.trace_id().to_string())
}

pub(super) fn reached(span: &Span, what: &str, computed_ms: Option<u64>) {
    if span.is_disabled() {
        return;
    }
    let computed = computed_ms.and_then(|ms| i64::try_from(ms).ok());
    let attributes = computed.map(|ms| KeyValue::new("reelgate.computed_ms", ms)).into_iter().collect();
    span.add_event(what.to_owned(), attributes);
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::{scope, step};

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn exported(run: impl FnOnce()) {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_context_activation(false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
    }

    #[test]
    fn a_trace_goes_on_and_its_steps_carry_it() {
        exported(|| {
            let scope = scope!("attempt");
            adopt(&scope, Some(PARENT));
            assert_eq!(trace_id(&scope).unwrap(), &PARENT[3..35]);
            let _entered = scope.enter();
            let own = carried(&Span::current()).unwrap();
            assert!(own.starts_with(&PARENT[..36]) && own.ends_with("-01") && own != PARENT, "{own}");
            let within = step!("probe").in_scope(|| carried(&Span::current()).unwrap());
            assert!(within.starts_with(&PARENT[..36]) && within != own, "{within}");
        });
    }

    #[test]
    fn what_is_no_traceparent_begins_another_trace() {
        exported(|| {
            for parent in
                [None, Some(""), Some("00-0-0-01"), Some("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
            {
                let scope = scope!("request");
                adopt(&scope, parent);
                assert!(trace_id(&scope).is_some_and(|id| id.len() == 32), "{parent:?}");
            }
        });
    }

    #[test]
    fn scopes_have_no_parent_but_the_one_they_are_given() {
        exported(|| {
            let _request = scope!("request").entered();
            let attempt = scope!("attempt");
            adopt(&attempt, None);
            assert_ne!(trace_id(&attempt), trace_id(&Span::current()));
        });
    }

    #[test]
    fn nothing_is_carried_where_nothing_is_exported() {
        let scope = scope!("request");
        adopt(&scope, Some(PARENT));
        assert_eq!((trace_id(&scope), carried(&scope)), (None, None));
    }
}
