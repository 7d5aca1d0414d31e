//! How the programs of this product start and stop, all alike: `reelgate`, and `gateway` and `worker`, which images hold. What one of
//! them is measured at holds for the others only so.

use std::{fmt::Display, future::Future, io, process::ExitCode, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Threads for calls that block, which are those of the directory store. Each keeps memory of the allocator's for itself: with
/// tokio's own bound, 512, a thousand slow viewers on a busy machine cost 60 MiB more.
const BLOCKING_THREADS: usize = 32;
/// A storage call that hangs in the kernel must not keep a stopped server from ending.
const ENDING: Duration = Duration::from_secs(2);

/// Runs it to its end, with what TLS and calls that block need.
///
/// # Errors
/// The system gives no threads.
pub fn block_on<F: Future>(work: F) -> io::Result<F::Output> {
    // Two TLS providers could be linked; which one is used must not depend on who asks first. An error says that one is set.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().max_blocking_threads(BLOCKING_THREADS).enable_all().build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(ENDING);
    Ok(outcome)
}

/// What the process ends with; an error with its whole chain of causes on one line, as the last thing a user sees.
#[expect(clippy::print_stderr, reason = "this is for commands; logging may not be set up yet")]
pub fn ended(name: &str, outcome: Result<ExitCode, impl Display>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}");
        ExitCode::FAILURE
    })
}

/// Cancelled by the first SIGTERM or SIGINT. A second one ends the process at once, for people who cannot wait.
///
/// # Errors
/// The handlers cannot be installed.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal stops at once");
        asked.cancel();
        either(&mut terminate, &mut interrupt).await;
        std::process::exit(130);
    });
    Ok(stop)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
