//! The worker: claims jobs, runs each in a child process, publishes what comes out. Only `ops` knows HTTP.
//!
//! `runner` is the loop; `process` the steps of one attempt; `task` the child and its parent; `heartbeat` beats beside them;
//! `settle` writes down how it ended.

pub mod config;
mod drain;
mod halt;
mod heartbeat;
mod litter;
mod live;
pub mod media;
mod memory;
mod ops;
mod patience;
pub mod plan;
mod presence;
mod process;
mod runner;
mod scratch;
mod settle;
mod spans;
pub mod task;
mod timeline;

use std::{process::ExitCode, sync::Arc, time::Duration};

use reelgate_common::{
    backends::Backends,
    config::ConfigError,
    event::pass_on,
    ids::ProcessId,
    metric::{WORKER_MEMORY_GRANTED_BYTES, WORKER_MEMORY_LIMIT_BYTES},
    profiles::Profiles,
    telemetry::RenderMetrics,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

pub use self::{
    config::WorkerConfig,
    scratch::{ScratchError, free_bytes},
};
use self::{
    drain::Drain,
    memory::{Budget, Peak},
    ops::Ops,
    process::KeptIndex,
    runner::Runner,
    scratch::ScratchRoot,
    task::{launcher::Launcher, parent::Tasks, sandbox::Walls, words::Spoken},
    timeline::Timeline,
};

/// How long a task may take to try to get out.
const TRIAL: Duration = Duration::from_secs(20);

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    #[error("the worker cannot listen on {0}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    #[error("the worker cannot start a thread")]
    Launcher(#[source] std::io::Error),
    #[error("tasks cannot be shut in here: {0}; see docs/sandbox.md, or set worker.require_sandbox = false")]
    Sandbox(String),
}

/// Works until `stop`: then it claims nothing more, hands back what it has not finished within `worker.drain_seconds`, and returns. Asked to
/// drain at its operations port (`worker.ops_listen`), it returns when what it has is done.
///
/// # Errors
/// The configuration or the scratch folder cannot be used. Whatever happens later is dealt with and never returned.
pub async fn run(
    mut config: WorkerConfig,
    backends: Backends,
    metrics: Option<RenderMetrics>,
    stop: CancellationToken,
) -> Result<(), WorkerError> {
    config.validate()?;
    let process = ProcessId::new(format!("worker-{}-{}", std::process::id(), Uuid::new_v4().simple()));
    let scratch = ScratchRoot::open(&config.worker.scratch_dir, &process)?;
    let tasks = tasks(&config)?;
    let proof = tasks.prove(&scratch, TRIAL).await.map_err(WorkerError::Sandbox);
    report(proof, config.worker.require_sandbox)?;
    keep_known_codecs(&mut config);
    let memory_bytes = tasks.memory.bytes();
    WORKER_MEMORY_LIMIT_BYTES.set(memory_bytes);
    WORKER_MEMORY_GRANTED_BYTES.set(0);
    let (concurrency, lanes) = (config.worker.concurrency, config.worker.lanes);
    tracing::info!(worker = %process, concurrency, %lanes, memory_bytes, "the worker is ready");
    let (drain, _until) = Drain::upon(stop, Duration::from_secs(config.worker.drain_seconds));
    let profiles = Profiles::new(config.profiling);
    let ops = Ops { backends: backends.clone(), metrics, profiles, drain: drain.begun.clone() };
    let _ops = operations(&config, ops).await?;
    let telling = pass_on(backends.db.bell().clone(), backends.queue.signals(), drain.over.clone());
    let _telling = AbortOnDropHandle::new(tokio::spawn(telling));
    let present = presence::keep(backends.db.clone(), process.clone(), (concurrency, lanes), drain.begun.clone());
    let _present = AbortOnDropHandle::new(tokio::spawn(present));
    let (config, kept_index) = (Arc::new(config), KeptIndex::default());
    Runner { config, backends, process, scratch, tasks, drain, kept_index }.run().await;
    tracing::info!("the worker has stopped");
    Ok(())
}

/// The operations port, if there shall be one.
async fn operations(config: &WorkerConfig, ops: Ops) -> Result<Option<AbortOnDropHandle<()>>, WorkerError> {
    let Some(address) = config.worker.ops_listen else { return Ok(None) };
    let listener = ops::listen(address).await.map_err(|error| WorkerError::Listen(address, error))?;
    Ok(Some(AbortOnDropHandle::new(tokio::spawn(ops.serve(listener)))))
}

/// What this libav cannot encode is planned for nobody.
fn keep_known_codecs(config: &mut WorkerConfig) {
    config.ladder.codecs.retain(|codec| {
        let known = media::can_encode(*codec);
        if !known {
            tracing::warn!(
                codec = codec.word(),
                "the linked libav has no encoder for it; ladder.codecs goes on without"
            );
        }
        known
    });
}

/// Has a task try to get out of its sandbox, as a worker's start does.
///
/// # Errors
/// What it could do that it may not, or why it could not be tried.
pub async fn prove_sandbox(config: &WorkerConfig) -> Result<Walls, WorkerError> {
    let process = ProcessId::new(format!("check-{}-{}", std::process::id(), Uuid::new_v4().simple()));
    let scratch = ScratchRoot::open(&config.worker.scratch_dir, &process)?;
    tasks(config)?.prove(&scratch, TRIAL).await.map_err(WorkerError::Sandbox)
}

fn tasks(config: &WorkerConfig) -> Result<Tasks, WorkerError> {
    Ok(Tasks {
        launcher: Launcher::start().map_err(WorkerError::Launcher)?,
        program: config.task_program().to_owned(),
        strictness: config.worker.strictness(),
        memory: Budget::new(config.worker.memory_bytes),
        peak: Peak::default(),
        spoken: Spoken::default(),
        timeline: Timeline::default(),
    })
}

/// Said once; without the setting a worker goes on with what there is.
fn report(proof: Result<Walls, WorkerError>, required: bool) -> Result<(), WorkerError> {
    match proof {
        Ok(walls) => {
            tracing::info!(
                landlock = walls.landlock,
                seccomp = walls.seccomp,
                "tasks are shut in, and one has tried to get out"
            );
            Ok(())
        }
        Err(error) if required => Err(error),
        Err(error) => {
            tracing::warn!(%error, "tasks are NOT shut in as they should be; worker.require_sandbox is off");
            Ok(())
        }
    }
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
