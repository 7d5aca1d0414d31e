//! How a line of the log looks: what it says, and behind it the ids of what it was written for, each once. Knows no id by its value.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{DefaultFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use super::LogFormat;

/// Of a scope's fields those that stand on its lines; the others are for its trace.
const IDS: [&str; 8] =
    ["request.id", "file.id", "job.id", "generation", "attempt", "worker", "delivery.id", "trace_id"];

/// What a scope keeps of its fields for its lines: a JSON object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids;

impl<'a> FormatFields<'a> for Ids {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut ids = Line { fields: Map::new(), ids_only: true };
        fields.record(&mut ids);
        write!(writer, "{}", Value::Object(ids.fields))
    }

    fn add_fields(&self, current: &'a mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut ids = Line { fields: Map::new(), ids_only: true };
        fields.record(&mut ids);
        if !ids.fields.is_empty() {
            let mut known = kept(current);
            known.extend(ids.fields);
            current.fields = Value::Object(known).to_string();
        }
        Ok(())
    }
}

fn kept(fields: &FormattedFields<Ids>) -> Map<String, Value> {
    serde_json::from_str(&fields.fields).unwrap_or_default()
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lines(pub(super) LogFormat);

impl<S> FormatEvent<S, Ids> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, Ids>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let ids = ids(ctx);
        let mut at = String::new();
        SystemTime.format_time(&mut Writer::new(&mut at))?;
        match self.0 {
            LogFormat::Text => text(writer, event, &at, &ids),
            LogFormat::Json => json(writer, event, at, ids),
        }
    }
}

/// Of all scopes that the line was written in; the innermost wins.
fn ids<S>(ctx: &FmtContext<'_, S, Ids>) -> Map<String, Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut ids = Map::new();
    for span in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
        let extensions = span.extensions();
        ids.extend(extensions.get::<FormattedFields<Ids>>().map(kept).unwrap_or_default());
    }
    ids
}

fn text(mut writer: Writer<'_>, event: &Event<'_>, at: &str, ids: &Map<String, Value>) -> fmt::Result {
    let metadata = event.metadata();
    write!(writer, "{at} {:>5} {}: ", metadata.level(), metadata.target())?;
    DefaultFields::new().format_fields(writer.by_ref(), event)?;
    for (name, value) in ids.iter().filter(|(name, _)| metadata.fields().field(name.as_str()).is_none()) {
        match value {
            Value::String(text) => write!(writer, " {name}={text}")?,
            other => write!(writer, " {name}={other}")?,
        }
    }
    writeln!(writer)
}

fn json(mut writer: Writer<'_>, event: &Event<'_>, at: String, ids: Map<String, Value>) -> fmt::Result {
    let metadata = event.metadata();
    let mut line = Line { fields: ids, ids_only: false };
    line.fields.insert("timestamp".to_owned(), at.into());
    line.fields.insert("level".to_owned(), metadata.level().as_str().into());
    line.fields.insert("target".to_owned(), metadata.target().into());
    event.record(&mut line);
    writeln!(writer, "{}", Value::Object(line.fields))
}

struct Line {
    fields: Map<String, Value>,
    ids_only: bool,
}

impl Line {
    fn put<V: Into<Value>>(&mut self, field: &Field, value: impl FnOnce() -> V) {
        if !self.ids_only || IDS.contains(&field.name()) {
            self.fields.insert(field.name().to_owned(), value().into());
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, || value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, || value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, || value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, || value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, || value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, || value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, || format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};

    use super::*;
    use crate::{scope, step};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Sink {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn written(format: LogFormat, level: &str, run: impl FnOnce()) -> String {
        let sink = Sink::default();
        let lines = super::super::lines(format, level, sink.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), run);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    fn attempt() {
        let scope = scope!("attempt", job.id = "j", attempt = 2, kind = "process", worker = tracing::field::Empty);
        scope.record("worker", "w");
        let _entered = scope.entered();
        let _step = step!("probe", name = "secret of the trace").entered();
        tracing::warn!(file.id = %"f", attempt = 3, name = "a \"b\"", "it happened");
    }

    #[test]
    fn a_line_bears_the_ids_of_its_scope_and_its_own_win() {
        let line = written(LogFormat::Json, "info", attempt);
        let mut line: Value = serde_json::from_str(&line).unwrap();
        assert!(line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
        line["timestamp"] = Value::Null;
        let wanted = serde_json::json!({
            "timestamp": null, "level": "WARN", "target": module_path!(), "message": "it happened", "file.id": "f",
            "job.id": "j", "attempt": 3, "worker": "w", "name": "a \"b\"",
        });
        assert_eq!(line, wanted);
    }

    #[test]
    fn text_says_each_id_once_and_no_setting_takes_them_away() {
        let line = written(LogFormat::Text, "warn", attempt);
        let said = format!(
            "  WARN {}: it happened file.id=f attempt=3 name=\"a \\\"b\\\"\" job.id=j worker=w\n",
            module_path!()
        );
        assert!(line.ends_with(&said.replacen("  WARN", " WARN", 1)), "{line}");
    }

    #[test]
    fn who_asks_what_is_logged_changes_nothing() {
        let line = written(LogFormat::Text, "warn", || {
            assert!(!tracing::enabled!(tracing::Level::INFO));
            attempt();
        });
        assert!(line.contains("job.id=j"), "{line}");
    }

    #[test]
    fn steps_are_never_in_the_log() {
        let told = std::cell::Cell::new(true);
        written(LogFormat::Text, "trace", || told.set(!step!("probe").is_disabled()));
        assert!(!told.get());
    }
}
