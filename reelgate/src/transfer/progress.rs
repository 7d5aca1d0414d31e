//! How far a move is, on standard error: a line that is written anew on a terminal, else one now and then.

use std::{future::Future, io::IsTerminal, sync::atomic::Ordering, time::Duration};

use indicatif::{HumanBytes, ProgressBar};
use reelgate_common::transfer::{Tally, TransferError};
use tokio::time::{MissedTickBehavior, interval};

const ON_A_TERMINAL: Duration = Duration::from_millis(500);
const ELSEWHERE: Duration = Duration::from_secs(30);

/// Runs `work` and says meanwhile how far it is.
pub(super) async fn watched(
    tally: &Tally,
    work: impl Future<Output = Result<(), TransferError>>,
) -> Result<(), TransferError> {
    let bar = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
    let mut ticks = interval(if bar.is_some() { ON_A_TERMINAL } else { ELSEWHERE });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                bar.inspect(ProgressBar::finish_and_clear);
                return done;
            }
            _ = ticks.tick() => say(bar.as_ref(), &line(tally)),
        }
    }
}

fn line(tally: &Tally) -> String {
    let read = |from: &std::sync::atomic::AtomicU64| from.load(Ordering::Relaxed);
    let (copied, bytes) = (read(&tally.copied), HumanBytes(read(&tally.copied_bytes)));
    format!("{copied} objects copied ({bytes}), {} were there; {} rows", read(&tally.there), read(&tally.rows))
}

#[expect(clippy::print_stderr, reason = "this is a command")]
fn say(bar: Option<&ProgressBar>, line: &str) {
    match bar {
        Some(bar) => {
            bar.set_message(line.to_owned());
            bar.tick();
        }
        None => eprintln!("{line}"),
    }
}
