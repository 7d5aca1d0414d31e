//! Where the time of an attempt goes: what was reached when, and how much its task had computed until then. Written to the
//! log at level debug, one line each; `scripts/timeline` makes a table of them. Decides nothing.

use std::{fs, time::Instant};

use reelgate_common::ids::JobId;

/// Ticks of `/proc`'s clock of computing time, the same on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// Begins with the attempt. Cheap to copy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timeline(Option<(JobId, Instant)>);

impl Timeline {
    pub(crate) fn begin(job: JobId) -> Self {
        Self(Some((job, Instant::now())))
    }

    /// A step of the worker's.
    pub(crate) fn step(&self, what: &str) {
        self.write(what, "", None);
    }

    /// Something that a process of ours has reached.
    pub(crate) fn task(&self, what: &str, name: &str, process: Option<u32>) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.write(what, name, process.and_then(computed_ms));
        }
    }

    fn write(&self, what: &str, name: &str, computed_ms: Option<u64>) {
        let Some((job, begun)) = &self.0 else { return };
        let at_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(job.id = %job, at_ms, what, name, computed_ms, "timeline");
    }
}

/// Milliseconds of computing of a living process.
pub(crate) fn computed_ms(process: u32) -> Option<u64> {
    parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<u64> {
    // The program's name is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some((next()? + next()?) * 1_000 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computing_time_is_read_whatever_the_program_is_called() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 1 2 3 4 150 25 6 7 20 0 1 0 99";
        assert_eq!(parse(stat), Some(1_750));
        assert_eq!(parse("42 (cut"), None);
        assert!(computed_ms(std::process::id()).is_some());
    }
}
