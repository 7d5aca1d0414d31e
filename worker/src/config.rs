//! Config section `[worker]`, and what a worker is started with.

use std::{
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
    time::Duration,
};

use reelgate_common::{
    config::{ConfigError, RawConfig},
    earned::EarnedPolicy,
    job::JobPolicy,
    lane::Lanes,
    profiles::ProfilingConfig,
};
use serde::{Deserialize, Serialize};

use crate::{
    plan::{LadderPolicy, QualityPolicy, split::SplitPolicy},
    task::sandbox::Strictness,
};

/// With less no film of today can be looked at.
const LEAST_MEMORY: u64 = 512 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSection {
    /// Address of `/healthz`, `/readyz`, `/metrics` and `/drain`; none unless it is set, and never in `reelgate all`, whose gateway has one.
    pub ops_listen: Option<SocketAddr>,
    /// How long jobs under way may go on after the stop signal; then they are handed back.
    pub drain_seconds: u64,
    /// Files processed at the same time.
    pub concurrency: u32,
    /// Jobs of these lanes alone are taken (`[lanes]`).
    pub lanes: Lanes,
    /// Threads of one task; 0: the machine's cores divided by `concurrency`.
    pub threads: u32,
    /// Folder for sources and outputs under work; needs room for a source and its outputs per running job. Everything in
    /// it that belongs to no living worker is removed at start.
    pub scratch_dir: PathBuf,
    /// Longest wait for the queue to say that there is work.
    pub poll_ms: u64,
    /// A task that gets no further for this long is killed.
    pub no_progress_ms: u64,
    /// Longest time for looking at a source or an output.
    pub probe_limit_ms: u64,
    /// Longest time for one encoding task.
    pub encode_limit_ms: u64,
    /// Memory for all tasks together, in bytes; 0: three quarters of the container's or the machine's. A task starts when all
    /// that it may take is left.
    pub memory_bytes: u64,
    /// Largest file that a task may write, in bytes.
    pub max_output_bytes: u64,
    /// Whether a worker refuses to start where the system cannot shut tasks in (landlock and seccomp). Without, it does
    /// what the system can, and says so.
    pub require_sandbox: bool,
    /// How much of each output is decoded before it is published.
    pub proof: Proof,
    /// How long a finished result is kept and offered again while the database or the store is away.
    pub keep_result_ms: u64,
}

impl Default for WorkerSection {
    fn default() -> Self {
        Self {
            ops_listen: None,
            drain_seconds: 0,
            concurrency: 1,
            lanes: Lanes::ALL,
            threads: 0,
            scratch_dir: PathBuf::from("./reelgate-data/scratch"),
            poll_ms: 1_000,
            no_progress_ms: 60_000,
            probe_limit_ms: 60_000,
            encode_limit_ms: 21_600_000,
            memory_bytes: 0,
            max_output_bytes: 64 << 30,
            require_sandbox: true,
            proof: Proof::Sample,
            keep_result_ms: 900_000,
        }
    }
}

/// How much of an output is decoded before it is published. One of up to 10 s is always decoded whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Its key frames, and all of its first and last two seconds.
    Sample,
    Whole,
}

/// Everything a worker is started with besides its backends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkerConfig {
    pub worker: WorkerSection,
    pub ladder: LadderPolicy,
    pub quality: QualityPolicy,
    pub split: SplitPolicy,
    pub earned: EarnedPolicy,
    pub jobs: JobPolicy,
    pub profiling: ProfilingConfig,
    /// The program that is started as `PROGRAM __task`; `None`: this one, again. Not configurable: tests script it.
    pub task_program: Option<PathBuf>,
}

impl WorkerConfig {
    /// Reads the sections of the worker and checks them.
    ///
    /// # Errors
    /// A key is unknown, of the wrong type, or has a value that cannot work.
    pub fn load(raw: &RawConfig) -> Result<Self, ConfigError> {
        let config = Self {
            worker: raw.section("worker")?,
            ladder: raw.section("ladder")?,
            quality: raw.section("quality")?,
            split: raw.section("split")?,
            earned: raw.section("earned")?,
            jobs: raw.section("jobs")?,
            profiling: raw.section("profiling")?,
            task_program: None,
        };
        config.validate()?;
        Ok(config)
    }

    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let in_section = |section| move |message| ConfigError::Invalid { section, message };
        self.worker.validate().map_err(in_section("worker"))?;
        self.ladder.validate().map_err(in_section("ladder"))?;
        self.quality.validate().map_err(in_section("quality"))?;
        self.split.validate().map_err(in_section("split"))?;
        self.earned.validate().map_err(in_section("earned"))?;
        self.jobs.validate().map_err(in_section("jobs"))
    }

    #[must_use]
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.jobs.lease_ms)
    }

    #[must_use]
    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.jobs.heartbeat_ms)
    }

    #[must_use]
    pub(crate) fn task_program(&self) -> &Path {
        // The link, not the path behind it: it still names this very build after an upgrade has replaced the file.
        self.task_program.as_deref().unwrap_or(Path::new("/proc/self/exe"))
    }
}

impl WorkerSection {
    fn validate(&self) -> Result<(), String> {
        let positive = [
            ("concurrency", u64::from(self.concurrency)),
            ("poll_ms", self.poll_ms),
            ("no_progress_ms", self.no_progress_ms),
            ("probe_limit_ms", self.probe_limit_ms),
            ("encode_limit_ms", self.encode_limit_ms),
            ("max_output_bytes", self.max_output_bytes),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(format!("worker.{key} must be above 0"));
        }
        if self.lanes.is_empty() {
            return Err("worker.lanes must name at least one lane".to_owned());
        }
        if self.concurrency > 256 {
            return Err("worker.concurrency must be at most 256; start more workers instead".to_owned());
        }
        if (1..LEAST_MEMORY).contains(&self.memory_bytes) {
            return Err("worker.memory_bytes must be 0 or at least 512 MiB (536870912)".to_owned());
        }
        if self.scratch_dir.as_os_str().is_empty() {
            return Err("worker.scratch_dir must name a folder".to_owned());
        }
        Ok(())
    }

    #[must_use]
    pub(crate) fn strictness(&self) -> Strictness {
        if self.require_sandbox { Strictness::Required } else { Strictness::BestEffort }
    }

    /// Threads for one task.
    #[must_use]
    pub(crate) fn task_threads(&self) -> u32 {
        if self.threads > 0 {
            return self.threads;
        }
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let share = cores / usize::try_from(self.concurrency).unwrap_or(1).max(1);
        u32::try_from(share.max(1)).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_work() {
        WorkerConfig::default().validate().unwrap();
    }

    #[test]
    fn values_that_cannot_work_are_named() {
        let refused = |change: fn(&mut WorkerConfig)| {
            let mut config = WorkerConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(refused(|c| c.worker.concurrency = 0).contains("worker.concurrency"));
        assert!(refused(|c| c.worker.lanes = Lanes::NONE).contains("worker.lanes"));
        assert!(refused(|c| c.worker.no_progress_ms = 0).contains("worker.no_progress_ms"));
        assert!(refused(|c| c.ladder.rungs = vec![360, 720]).contains("ladder.rungs"));
        assert!(refused(|c| c.ladder.rungs = vec![721]).contains("721"));
        assert!(refused(|c| c.ladder.crf = 99).contains("ladder.crf"));
        assert!(refused(|c| c.jobs.heartbeat_ms = c.jobs.lease_ms).contains("heartbeat_ms"));
    }

    #[test]
    fn the_ladder_may_come_from_the_environment() {
        let from_environment = |value: &str| {
            let environment = [("REELGATE__LADDER__RUNGS".to_owned(), value.to_owned())];
            let raw = RawConfig::load_with(None, environment.into()).unwrap();
            raw.section::<LadderPolicy>("ladder").map(|ladder| ladder.rungs)
        };
        assert_eq!(from_environment("1080,720").unwrap(), [1080, 720]);
        assert_eq!(from_environment("480").unwrap(), [480]);
        assert!(from_environment("1080,high").unwrap_err().to_string().contains("high"));
    }

    #[test]
    fn a_task_has_at_least_one_thread() {
        let section = WorkerSection { concurrency: 200, ..WorkerSection::default() };
        assert_eq!(section.task_threads(), 1);
    }
}
