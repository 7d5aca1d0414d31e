//! What the end of a task means: pure, from how listening ended, the exit status, what the child said and its last words.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use reelgate_common::file::Failure;
use rustix::process::Signal;

use super::{launcher::describe, words::clean_failure};

/// The code of a death of memory. The next run makes do with less.
pub(crate) const OUT_OF_MEMORY: &str = "out_of_memory";
/// Of its memory; a task that crashes with more than this died of the rest.
const NEARLY: u64 = 90;
/// What allocators and libav say when there is no more.
const NO_MORE: [&str; 4] =
    ["memory allocation of", "Cannot allocate memory", "malloc of size", "Resource temporarily unavailable"];

/// How listening ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Standard output was closed: the child has ended or is about to.
    Closed,
    /// Nobody wants the answer any more.
    Unwanted,
    /// It got no further for this long.
    Stuck(Duration),
    /// It took longer than this.
    TooLong(Duration),
    Babble,
}

/// What the child says last.
#[derive(Debug)]
pub(super) enum Told {
    Done,
    Failed(Failure),
}

/// What is known of a task that has ended.
#[derive(Debug)]
pub(super) struct Ended<'a> {
    pub(super) end: End,
    pub(super) status: Option<ExitStatus>,
    pub(super) told: Option<Told>,
    pub(super) words: &'a str,
    /// Memory of its own when it was last looked at, of the most that it may have; in percent.
    pub(super) filled: u64,
}

/// # Errors
/// Everything but a child that said that it is done and ended well.
pub(super) fn judge(ended: Ended<'_>) -> Result<(), Failure> {
    match ended.end {
        End::Unwanted => Err(crash("The task was stopped.", "")),
        End::Stuck(limit) => Err(failure(
            "task_stuck",
            format!("Processing got no further for {} seconds and was stopped.", limit.as_secs()),
        )),
        End::TooLong(limit) => Err(failure(
            "task_too_long",
            format!("Processing took longer than {} seconds and was stopped.", limit.as_secs()),
        )),
        End::Babble => Err(crash("The task said something that cannot be understood.", ended.words)),
        End::Closed => match (ended.status, ended.told) {
            (Some(status), Some(Told::Done)) if status.success() => Ok(()),
            (Some(status), Some(Told::Failed(failure))) if status.success() => Err(clean_failure(failure)),
            (Some(status), _) => Err(crash_of(status, ended.words, ended.filled)),
            (None, _) => Err(crash("The task ended in an unknown way.", ended.words)),
        },
    }
}

/// What an unexpected end of the child means.
fn crash_of(status: ExitStatus, words: &str, filled: u64) -> Failure {
    // libav and x264 do not survive every refused allocation: some end in a null pointer.
    let full = filled >= NEARLY || NO_MORE.iter().any(|said| words.contains(said));
    match status.signal().and_then(Signal::from_named_raw) {
        // We did not send it, so the system did: it had no memory left.
        Some(Signal::KILL) => out_of_memory("Processing needs more memory than there is."),
        Some(Signal::ABORT | Signal::SEGV | Signal::BUS) if full => out_of_memory(TOO_MUCH),
        Some(Signal::XCPU) => failure("task_cpu_limit", "Processing took more computing time than it may.".to_owned()),
        Some(Signal::XFSZ) => failure("task_output_limit", "Processing made a file larger than it may be.".to_owned()),
        Some(Signal::SYS) => Failure {
            retryable: false,
            ..failure(
                "task_forbidden",
                "Processing tried what no film needs and was stopped; the file may be an attack.".to_owned(),
            )
        },
        _ => crash(&format!("Processing crashed ({}).", describe(status)), words),
    }
}

const TOO_MUCH: &str = "Processing needs more memory than it may take.";

fn out_of_memory(message: &str) -> Failure {
    failure(OUT_OF_MEMORY, message.to_owned())
}

pub(super) fn crash(what: &str, words: &str) -> Failure {
    let last = words.lines().rev().find(|line| !line.trim().is_empty());
    let message = last.map_or_else(|| what.to_owned(), |line| format!("{what} Its last words: {}", line.trim()));
    clean_failure(failure("task_crashed", message))
}

fn failure(code: &str, message: String) -> Failure {
    Failure { code: code.to_owned(), message, retryable: true }
}
