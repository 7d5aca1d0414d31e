//! Memory of tasks: how much a worker may give out (`Budget`), and how much one has taken (`Taken`, `Peak`). A task starts
//! only when all that it may take is left, and the kernel holds it to that; so a worker never takes more than its memory.

mod estimate;
mod thrift;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use reelgate_common::metric::WORKER_MEMORY_GRANTED_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use self::{
    estimate::measuring,
    thrift::{Thrifty, within},
};

/// What is counted; a semaphore counts no further than 32 bits.
const UNIT: u64 = 1 << 20;
/// Of the machine's memory or the container's, in percent. The rest is the worker's own, the system's, and cached files.
const SHARE: u64 = 75;
/// When nobody knows how much there is.
const UNKNOWN: u64 = 4 << 30;

/// What looking at a source or an output may take: a decoder's few frames of the largest picture that is accepted.
pub(crate) const PROBE: u64 = 1 << 30;
/// What copying tracks into another container may take: two indexes, at a hundred bytes for each of millions of pictures.
pub(crate) const COPY: u64 = 1 << 30;

/// What a worker may give to its tasks. Cheap to clone; all clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    left: Arc<Semaphore>,
    units: u32,
}

/// A task's share; given back when dropped.
#[derive(Debug)]
pub(crate) struct Granted {
    _permit: Option<OwnedSemaphorePermit>,
    units: u32,
}

impl Drop for Granted {
    fn drop(&mut self) {
        WORKER_MEMORY_GRANTED_BYTES.gauge().decrement(in_bytes(self.units));
    }
}

fn in_bytes(units: u32) -> f64 {
    f64::from(units) * UNIT as f64
}

impl Budget {
    /// `bytes` of 0 means most of what the container or the machine has.
    pub(crate) fn new(bytes: u64) -> Self {
        let bytes = if bytes == 0 { available().unwrap_or(UNKNOWN) / 100 * SHARE } else { bytes };
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self { left: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// All there is.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.units) * UNIT
    }

    /// Waits until so much is left, in the order of asking. Nothing gets more than all there is, so no one waits for ever.
    pub(crate) async fn admit(&self, bytes: u64) -> Granted {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        // An error says that it was closed, which nobody does.
        let _permit = self.left.clone().acquire_many_owned(units).await.ok();
        WORKER_MEMORY_GRANTED_BYTES.gauge().increment(in_bytes(units));
        Granted { _permit, units }
    }
}

/// The most memory that was seen in use. Cheap to clone; all clones show the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peak(Arc<AtomicU64>);

impl Peak {
    pub(crate) fn saw(&self, bytes: u64) {
        self.0.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a living process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// What its limit counts.
    pub(crate) data: u64,
    /// The most that it ever had in memory.
    pub(crate) highest_resident: u64,
}

impl Taken {
    /// Nothing when it has ended.
    pub(crate) fn of(process: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        Some(Self { data: kibibytes(status, "VmData:")?, highest_resident: kibibytes(status, "VmHWM:")? })
    }
}

/// A line `name   123 kB` in bytes.
fn kibibytes(lines: &str, name: &str) -> Option<u64> {
    let value = lines.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the container may have, or the machine has.
fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kibibytes(&text, "MemTotal:"));
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let container = limits.iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    // Version 1 writes a huge number where there is no limit, version 2 a word.
    [machine, container].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_shows_what_it_has() {
        let taken = Taken::of(std::process::id()).unwrap();
        assert!(taken.data > 0 && taken.highest_resident > 0);
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nVmData:\t       1 kB\n";
        assert_eq!(Taken::parse(text), Some(Taken { data: 1024, highest_resident: 2 << 20 }));
        assert_eq!(Taken::parse("Name:\tx\n"), None);
    }

    #[tokio::test]
    async fn a_task_waits_until_its_memory_is_left() {
        let budget = Budget::new(100 << 20);
        let first = budget.admit(60 << 20).await;
        let mut second = Box::pin(budget.admit(60 << 20));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_ready());
    }

    #[tokio::test]
    async fn a_task_that_wants_more_than_there_is_gets_all_of_it() {
        let budget = Budget::new(100 << 20);
        let all = budget.admit(u64::MAX).await;
        assert!(futures_util::poll!(Box::pin(budget.admit(1))).is_pending());
        drop(all);
        assert_eq!(budget.bytes(), 100 << 20);
    }

    #[test]
    fn without_a_figure_it_is_most_of_what_there_is() {
        let whole = available().unwrap();
        let budget = Budget::new(0).bytes();
        assert!(budget < whole && budget > whole / 2, "{budget} of {whole}");
    }
}
