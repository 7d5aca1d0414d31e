//! The parent's side of trying the sandbox: has a task try to get out, through the very launcher that starts all others, and
//! judges what it says. No source is at hand then, so it has no reason to lie.

use std::{fs, fs::File, io, sync::Arc, time::Duration};

use tokio_util::task::TaskTracker;

use super::{
    limits::Limits,
    parent::{Order, Tasks},
    protocol::{Event, Request, Trial},
    sandbox::{Strictness, Walls},
};
use crate::scratch::{Scratch, ScratchRoot};

/// Far above what trying takes, far below what a machine has.
const MEMORY: u64 = 256 << 20;

impl Tasks {
    /// What holds.
    ///
    /// # Errors
    /// A sentence that names what does not.
    pub(crate) async fn prove(&self, scratch: &ScratchRoot, patience: Duration) -> Result<Walls, String> {
        let scratch = scratch.trial().map_err(|error| format!("{error}: {}", error.source))?;
        // With less strictness the task still has to be able to tell what it could do.
        let lenient = Self { strictness: Strictness::BestEffort, ..self.clone() };
        judge(lenient.try_it(&scratch, patience).await?)
    }

    async fn try_it(&self, scratch: &Arc<Scratch>, patience: Duration) -> Result<Trial, String> {
        let io = |error: io::Error| format!("it could not be tried: {error}");
        let folder = scratch.folder("trial").map_err(|error| error.to_string())?;
        fs::write(scratch.path().join("canary"), "a task must not read this").map_err(io)?;
        let limits = Limits { no_progress: patience, wall: patience, memory_bytes: MEMORY, file_bytes: 1 << 20 };
        let order = Order {
            request: &Request::Trial,
            source: File::open("/dev/null").map_err(io)?,
            folder: &folder,
            scratch: scratch.clone(),
            limits,
            progress: None,
        };
        let tracker = TaskTracker::new();
        let mut task = self.start(order, &tracker).await.map_err(io)?;
        let mut found = None;
        while let Some(event) = task.next().await.map_err(|failure| failure.message)? {
            if let Event::Tried(trial) = event {
                found = Some(trial);
            }
        }
        drop(task);
        tracker.close();
        tracker.wait().await;
        found.ok_or_else(|| "the task did not say what it could do".to_owned())
    }
}

fn judge(trial: Trial) -> Result<Walls, String> {
    if trial.attempts.is_empty() {
        return Err("the task tried nothing".to_owned());
    }
    let wrong = trial.attempts.iter().filter(|attempt| !attempt.as_it_should());
    let wrong = wrong.map(|attempt| {
        let how = if attempt.forbidden { "could" } else { "could not" };
        format!("a task {how} {} ({})", attempt.what, attempt.said)
    });
    let all: Vec<String> = trial.walls.missing.iter().cloned().chain(wrong).collect();
    if all.is_empty() { Ok(trial.walls) } else { Err(all.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::{super::protocol::Attempt, *};

    fn trial(forbidden: bool, refused: bool, missing: &[&str]) -> Trial {
        let (what, said) = ("read a file outside".to_owned(), "done".to_owned());
        let missing = missing.iter().map(|what| (*what).to_owned()).collect();
        let walls = Walls { landlock: Some(7), seccomp: true, missing };
        Trial { walls, attempts: vec![Attempt { what, forbidden, refused, said }] }
    }

    #[test]
    fn a_sandbox_holds_when_all_that_is_forbidden_was_refused_and_nothing_else() {
        assert!(judge(trial(true, true, &[])).is_ok());
        assert!(judge(trial(false, false, &[])).is_ok());
        assert!(judge(trial(true, false, &[])).unwrap_err().contains("could read a file outside"));
        assert!(judge(trial(false, true, &[])).unwrap_err().contains("could not read a file outside"));
    }

    #[test]
    fn a_wall_that_is_missing_or_was_not_tried_does_not_hold() {
        assert!(judge(trial(true, true, &["no landlock"])).is_err());
        assert!(judge(Trial { attempts: Vec::new(), ..trial(true, true, &[]) }).is_err());
    }
}
