//! Figures, and what they mean to somebody who plans how many machines to get. Pure but for the printing.

use serde::Serialize;

const HOURS_A_DAY: f64 = 24.0;
/// With a smaller share of the cores at work, a second film beside the first would be made for little.
const BUSY: f64 = 0.7;
/// Bits per second of a 1080p stream as the default ladder makes it.
const STREAM_BITS: f64 = 5_000_000.0;
/// A commit or a small object that takes longer is noticed by people who upload.
const SLOW_MS: f64 = 50.0;

pub(super) const ENCODE_ONE: &str = "encode_one_core";
pub(super) const ENCODE_ALL: &str = "encode_all_cores";
pub(super) const STREAM: &str = "stream";
pub(super) const COMMIT: &str = "commit_latency";
pub(super) const SMALL_PUT: &str = "store_small_write_latency";

#[derive(Debug, Clone, Serialize)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) of: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct Skipped {
    what: String,
    why: String,
}

/// What was measured so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Whether store, database and queue are the configured ones, or those of a temporary folder.
    configured: bool,
    cores: u32,
    figures: Vec<Figure>,
    skipped: Vec<Skipped>,
}

impl Report {
    pub(super) fn whose(&mut self, configured: bool) {
        self.configured = configured;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.cores = u32::try_from(cores).unwrap_or(u32::MAX);
    }

    pub(super) fn add(&mut self, figures: Vec<Figure>) {
        self.figures.extend(figures);
    }

    pub(super) fn skip(&mut self, what: &str, why: &str) {
        self.skipped.push(Skipped { what: what.to_owned(), why: why.to_owned() });
    }

    pub(super) fn is_whole(&self) -> bool {
        self.skipped.is_empty()
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// Sentences, each from a figure.
    fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        if let Some(speed) = self.value(ENCODE_ALL) {
            let hours = speed * HOURS_A_DAY;
            advice.push(format!(
                "A worker like this machine makes about {hours:.0} hours of 1080p a day, down the whole ladder."
            ));
        }
        if let (Some(one), Some(all)) = (self.value(ENCODE_ONE), self.value(ENCODE_ALL))
            && all / one < f64::from(self.cores) * BUSY
        {
            let (busy, cores) = (all / one, self.cores);
            advice.push(format!(
                "One film kept about {busy:.1} of {cores} cores busy: unless something else had them, raise worker.concurrency."
            ));
        }
        if let Some(mib) = self.value(STREAM) {
            let viewers = mib * 1_048_576.0 * 8.0 / STREAM_BITS;
            advice.push(format!(
                "A gateway like this machine has bytes for about {viewers:.0} viewers of 1080p, if its network has."
            ));
        }
        for (name, what) in [(COMMIT, "A commit"), (SMALL_PUT, "Writing a small object")] {
            if let Some(ms) = self.value(name).filter(|ms| *ms > SLOW_MS) {
                advice.push(format!(
                    "{what} takes {ms:.0} ms: every upload waits for some. Look at its disk and at the network to it."
                ));
            }
        }
        advice
    }

    #[expect(clippy::print_stdout, reason = "this is the command's output")]
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            let mut all = serde_json::to_value(self)?;
            all["advice"] = serde_json::json!(self.advice());
            println!("{}", serde_json::to_string_pretty(&all)?);
            return Ok(());
        }
        let whose = if self.configured { "as configured" } else { "in a temporary folder (none is configured)" };
        println!("Store, database and queue {whose}.\n");
        for Figure { of, value, unit, .. } in &self.figures {
            println!("{of:<44} {value:>12.2} {unit}");
        }
        self.skipped.iter().for_each(|skipped| println!("{:<44} not measured: {}", skipped.what, skipped.why));
        println!();
        self.advice().iter().for_each(|sentence| println!("{sentence}"));
        Ok(())
    }
}

/// Milliseconds in the middle of all.
pub(super) fn median_ms(mut times: Vec<std::time::Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}

pub(super) fn mib_per_second(bytes: u64, took: std::time::Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let mib = bytes as f64 / 1_048_576.0;
    mib / took.as_secs_f64().max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn figure(name: &'static str, value: f64) -> Figure {
        Figure { name, value, unit: "", of: "" }
    }

    #[test]
    fn advice_follows_from_figures_alone() {
        let mut report = Report { cores: 4, ..Report::default() };
        assert!(report.advice().is_empty() && report.is_whole());
        report.add(vec![figure(ENCODE_ONE, 1.0), figure(ENCODE_ALL, 4.0), figure(STREAM, 500.0), figure(COMMIT, 3.0)]);
        let advice = report.advice().join(" ");
        assert!(advice.contains("about 96 hours of 1080p a day") && advice.contains("about 839 viewers"), "{advice}");
        assert!(!advice.contains("commit") && !advice.contains("concurrency"), "{advice}");
        report.cores = 8;
        assert!(report.advice().join(" ").contains("about 4.0 of 8 cores busy"));
        report.add(vec![figure(SMALL_PUT, 80.0)]);
        assert!(report.advice().join(" ").contains("takes 80 ms"));
        report.skip("queue", "away");
        assert!(!report.is_whole());
    }

    #[test]
    fn the_median_of_none_is_nothing() {
        assert!(median_ms(Vec::new()).abs() < f64::EPSILON);
        let times = [5, 1, 9].map(Duration::from_millis).to_vec();
        assert!((median_ms(times) - 5.0).abs() < 0.001);
    }
}
