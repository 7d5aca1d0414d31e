//! Every metric there is: name, kind, unit, what it says, and which labels it bears with which values. Nobody counts by a name of their
//! own, so that docs/metrics.md, the alert rules and the dashboards can be held against this list (e2e/tests/it/metrics.rs).
//! Knows nothing of what is counted.

mod list;
mod role;

use std::fmt;

pub use list::*;
use metrics::{Counter, Gauge, Histogram, Label};
pub use role::Role;

/// What its numbers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, from 0 at the process's start.
    Counter,
    Gauge,
    /// Upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        })
    }
}

/// What is counted. Base units only, as Prometheus wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things: requests, files, jobs.
    Count,
    Bytes,
    Seconds,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        })
    }
}

/// Which values a label may have. There is no label of which nobody knows how many it has: each value is a time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// These. Counters begin with all of them, at 0.
    Of(&'static [&'static str]),
    /// At most so many, of a set that the code closes elsewhere.
    AtMost(usize),
}

/// A label by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelOf {
    pub name: &'static str,
    pub values: Values,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    /// One sentence.
    pub help: &'static str,
    pub labels: &'static [LabelOf],
    /// Which processes have it.
    pub role: Role,
}

impl Metric {
    pub fn counter(&self) -> Counter {
        self.counter_of([])
    }

    pub fn counter_of<const N: usize>(&self, labels: [(&'static str, &'static str); N]) -> Counter {
        self.counter_with(fixed(labels))
    }

    /// As `counter_of`, with values that are made while it runs.
    pub fn counter_with(&self, labels: Vec<Label>) -> Counter {
        debug_assert!(self.kind == Kind::Counter && self.bears(&labels), "{}: {labels:?}", self.name);
        metrics::counter!(self.name, labels)
    }

    pub fn gauge(&self) -> Gauge {
        self.gauge_of([])
    }

    pub fn gauge_of<const N: usize>(&self, labels: [(&'static str, &'static str); N]) -> Gauge {
        let labels = fixed(labels);
        debug_assert!(self.kind == Kind::Gauge && self.bears(&labels), "{}: {labels:?}", self.name);
        metrics::gauge!(self.name, labels)
    }

    /// Gauges are floats; counts and bytes stay far below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    pub fn set(&self, value: u64) {
        self.gauge().set(value as f64);
    }

    /// The same of one series.
    #[expect(clippy::cast_precision_loss, reason = "as for `set`")]
    pub fn set_of<const N: usize>(&self, labels: [(&'static str, &'static str); N], value: u64) {
        self.gauge_of(labels).set(value as f64);
    }

    pub fn histogram_of<const N: usize>(&self, labels: [(&'static str, &'static str); N]) -> Histogram {
        let labels = fixed(labels);
        debug_assert!(matches!(self.kind, Kind::Histogram(_)) && self.bears(&labels), "{}: {labels:?}", self.name);
        metrics::histogram!(self.name, labels)
    }

    /// Whether these are its labels, in its order, with values that it may have.
    fn bears(&self, labels: &[Label]) -> bool {
        let fits = |(label, of): (&Label, &LabelOf)| match of.values {
            Values::Of(values) => label.key() == of.name && values.contains(&label.value()),
            Values::AtMost(_) => label.key() == of.name,
        };
        labels.len() == self.labels.len() && labels.iter().zip(self.labels).all(fits)
    }

    /// Every series of a counter whose labels are closed here.
    fn series(&self) -> Vec<Vec<Label>> {
        self.labels.iter().fold(vec![Vec::new()], |series, label| match label.values {
            Values::AtMost(_) => Vec::new(),
            Values::Of(values) => {
                let longer =
                    |of: &Vec<Label>, value| [of.clone(), vec![Label::from_static_parts(label.name, value)]].concat();
                series.iter().flat_map(|of| values.iter().map(move |value| longer(of, value))).collect()
            }
        })
    }
}

fn fixed<const N: usize>(labels: [(&'static str, &'static str); N]) -> Vec<Label> {
    labels.into_iter().map(|(name, value)| Label::from_static_parts(name, value)).collect()
}

/// Says to the recorder what each metric of a process means, and begins its counters: a counter that appears with its first event
/// has no increase that an alert could see.
pub fn announce(role: Role) {
    for metric in ALL.iter().filter(|metric| role.has(metric.role)) {
        match metric.kind {
            Kind::Counter => {
                metrics::describe_counter!(metric.name, metric.help);
                metric.series().into_iter().for_each(|labels| metric.counter_with(labels).increment(0));
            }
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
    BUILD_INFO.gauge_of([("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
    DRAINING.set(0);
}

/// The rows of the table in docs/metrics.md, which a test holds against it.
pub fn rows() -> impl Iterator<Item = String> {
    ALL.iter().map(|metric| {
        let labels: Vec<String> =
            metric.labels.iter().map(|label| format!("`{}`: {}", label.name, label.values)).collect();
        let Metric { name, kind, unit, role, help, .. } = metric;
        format!("| `{name}` | {kind} | {unit} | {role} | {} | {help} |", labels.join("; "))
    })
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(values) => f.write_str(&values.join(", ")),
            Self::AtMost(most) => write!(f, "at most {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for Metric { name, kind, unit, help, labels, .. } in ALL {
            let of_kind = name.strip_suffix("_total");
            assert_eq!(of_kind.is_some(), *kind == Kind::Counter, "{name}: counters, and they alone, end in _total");
            let name = of_kind.unwrap_or(name);
            let ends = |unit: &str| name.ends_with(unit);
            assert!(name.starts_with("reelgate_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(ends("_bytes"), *unit == Unit::Bytes, "{name}: the unit is its last word");
            assert_eq!(ends("_seconds"), *unit == Unit::Seconds, "{name}: the unit is its last word");
            for broken in ["_ms", "milliseconds", "_kb", "_mib", "_percent", "_info_", "__"] {
                assert!(!name.contains(broken), "{name} has {broken}");
            }
            assert!(help.ends_with('.') && !help.contains('|'), "{name}: {help}");
            assert!(labels.iter().all(|label| !["le", "quantile", "job", "instance"].contains(&label.name)), "{name}");
        }
    }

    #[test]
    fn a_name_stands_once_and_series_are_few() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let values = metric.labels.iter().map(|label| match label.values {
                Values::Of(values) => values.len(),
                Values::AtMost(most) => most,
            });
            assert!(values.clone().all(|count| count <= 64), "{}", metric.name);
        }
    }

    #[test]
    fn buckets_rise() {
        for metric in ALL {
            if let Kind::Histogram(buckets) = metric.kind {
                assert!(buckets.is_sorted() && buckets.len() < 20, "{}", metric.name);
            }
        }
    }

    #[test]
    fn a_counter_with_closed_labels_has_all_its_series() {
        let expected: usize = STORAGE_OPERATIONS.len() * STORAGE_OUTCOMES.len();
        assert_eq!(STORAGE_REQUESTS.series().len(), expected);
        assert_eq!(CACHE_HITS.series(), [Vec::new()]);
        assert!(HTTP_REQUESTS.series().is_empty(), "routes are closed elsewhere");
        assert!(!STORAGE_REQUESTS.bears(&[Label::new("operation", "get"), Label::new("outcome", "maybe")]));
    }
}
