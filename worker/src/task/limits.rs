//! What bounds a task, as its parent sees it: the supervisor holds it to the clocks, the sandbox to the rest.

use std::time::Duration;

use super::sandbox;

/// What a task may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest time without getting any further.
    pub(crate) no_progress: Duration,
    /// Longest time in all.
    pub(crate) wall: Duration,
    /// Most memory; it waits until the worker has as much left.
    pub(crate) memory_bytes: u64,
    /// Largest file that it may write.
    pub(crate) file_bytes: u64,
}

impl Limits {
    /// Computing time is no limit of its own: it ends what neither clock of ours could, because we died.
    pub(super) fn of_process(&self) -> sandbox::Limits {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let cpu_seconds = (self.wall.as_secs() + 1).saturating_mul(cores);
        sandbox::Limits { memory_bytes: self.memory_bytes, cpu_seconds, file_bytes: self.file_bytes }
    }
}
