//! Limits that the kernel keeps for the process: memory, computing time, file size, descriptors. Set hard and soft alike,
//! and seccomp afterwards refuses to change them, even for root.

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::SandboxError;

/// Source, events, last words, a file per output, and a second one while its index is moved to the front.
pub(crate) const DESCRIPTORS: u64 = 64;
/// What a task gets when nobody says otherwise.
const MEMORY_BYTES: u64 = 2 << 30;
const CPU_SECONDS: u64 = 6 * 3600;
const FILE_BYTES: u64 = 64 << 30;

/// What a task may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Writable memory of its own, in bytes. Counted by RLIMIT_DATA: RLIMIT_AS would count what glibc's arenas only reserve.
    pub memory_bytes: u64,
    /// Of all threads together; then SIGXCPU.
    pub cpu_seconds: u64,
    /// Of each file that it writes; then SIGXFSZ.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: MEMORY_BYTES, cpu_seconds: CPU_SECONDS, file_bytes: FILE_BYTES }
    }
}

impl Limits {
    pub(super) fn apply(&self) -> Result<(), SandboxError> {
        let limits = [
            ("memory", Resource::Data, self.memory_bytes),
            ("computing time", Resource::Cpu, self.cpu_seconds),
            ("file size", Resource::Fsize, self.file_bytes),
            ("open files", Resource::Nofile, DESCRIPTORS),
            ("core dumps", Resource::Core, 0),
        ];
        for (what, resource, limit) in limits {
            let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
            setrlimit(resource, limit).map_err(|error| SandboxError::Limit { what, source: error.into() })?;
        }
        Ok(())
    }
}
