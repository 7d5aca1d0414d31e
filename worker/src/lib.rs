//! The worker: claims jobs, runs each in a child process, publishes what comes out. Knows no HTTP.
//!
//! `runner` is the loop; `process` the steps of one attempt; `task` the child and its parent; `heartbeat` beats beside them;
//! `settle` writes down how it ended.

pub mod config;
mod halt;
mod heartbeat;
mod litter;
pub mod media;
mod patience;
pub mod plan;
mod process;
mod runner;
mod scratch;
mod settle;
pub mod task;

use std::{process::ExitCode, sync::Arc};

use reelgate_common::{backends::Backends, config::ConfigError, ids::ProcessId};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::{config::WorkerConfig, scratch::ScratchError};
use self::{runner::Runner, scratch::ScratchRoot, task::launcher::Launcher};

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    #[error("the worker cannot start a thread")]
    Launcher(#[source] std::io::Error),
}

/// Works until `stop`: then it claims nothing more, hands its jobs back, and returns.
///
/// # Errors
/// The configuration or the scratch folder cannot be used. Whatever happens later is dealt with and never returned.
pub async fn run(config: WorkerConfig, backends: Backends, stop: CancellationToken) -> Result<(), WorkerError> {
    config.validate()?;
    let process = ProcessId::new(format!("worker-{}-{}", std::process::id(), Uuid::new_v4().simple()));
    let scratch = ScratchRoot::open(&config.worker.scratch_dir, &process)?;
    let launcher = Launcher::start().map_err(WorkerError::Launcher)?;
    tracing::info!(worker = %process, concurrency = config.worker.concurrency, "the worker is ready");
    Runner { config: Arc::new(config), backends, process, scratch, launcher, stop }.run().await;
    tracing::info!("the worker has stopped");
    Ok(())
}

/// What a binary runs when its first argument is `task::protocol::TASK_ARGUMENT`, before anything else.
#[must_use]
pub fn task_main() -> ExitCode {
    use rustix::process::{Signal, set_parent_process_death_signal};
    // A worker that is killed takes its tasks along. Were it dead already, the first event would fail on a closed pipe.
    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return ExitCode::FAILURE;
    }
    task::child::main()
}
