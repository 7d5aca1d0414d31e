//! What a task shuts behind itself before libav touches a byte: limits, files, system calls. Applied once, by the only
//! thread there is, so that every later thread inherits it and nothing can take it back. Needs no privilege. Knows libav
//! only by the calls that it makes.

mod calls;
mod files;
mod limits;

use std::{fs, io};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::set_no_new_privs;
use serde::{Deserialize, Serialize};

pub(crate) use self::limits::DESCRIPTORS;
pub use self::limits::Limits;

/// How much of it must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// Without all of it the task does nothing.
    #[default]
    Required,
    /// As much as the kernel has.
    BestEffort,
    /// None of it: leak and memory checkers look into a process in ways that it forbids. No worker starts a task so.
    Off,
}

/// What a task is shut in by, as its parent writes it into the task's second argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    pub strictness: Strictness,
    pub limits: Limits,
}

/// What holds from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    /// Version of landlock's interface; `None` without it.
    pub landlock: Option<u32>,
    pub seccomp: bool,
    /// What could not be had, in sentences.
    pub missing: Vec<String>,
}

/// A wall that the kernel did not build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxError {
    #[error("the limit of {what} could not be set: {source}")]
    Limit { what: &'static str, source: io::Error },
    #[error("privileges could not be given up for good: {0}")]
    Privileges(io::Error),
    #[error("landlock: {0}")]
    Files(String),
    #[error("seccomp: {0}")]
    Calls(String),
}

/// Shuts the calling process in, with the working directory as all that it can open.
///
/// # Errors
/// What is missing, when all is required.
pub(crate) fn enter(bounds: &Bounds) -> Result<Walls, SandboxError> {
    let (strictness, limits) = (bounds.strictness, &bounds.limits);
    let mut walls = Walls::default();
    if strictness == Strictness::Off {
        walls.missing.push("the sandbox was turned off".to_owned());
        return Ok(walls);
    }
    let mut bear = |error: SandboxError| match strictness {
        Strictness::Required => Err(error),
        _ => {
            walls.missing.push(error.to_string());
            Ok(())
        }
    };
    die_first();
    limits.apply().or_else(&mut bear)?;
    set_no_new_privs(true).map_err(|error| SandboxError::Privileges(error.into())).or_else(&mut bear)?;
    // Nobody of the same user may look into a process that reads other people's films.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| SandboxError::Privileges(error.into()))
        .or_else(&mut bear)?;
    let landlock = files::shut().map(Some).or_else(|error| bear(error).map(|()| None))?;
    // Last, for the steps before need calls that nothing needs afterwards.
    let seccomp = calls::shut().map(|()| true).or_else(|error| bear(error).map(|()| false))?;
    Ok(Walls { landlock, seccomp, ..walls })
}

/// When the machine runs out of memory, the task goes and not the worker. Not a wall, so nothing depends on it.
fn die_first() {
    drop(fs::write("/proc/self/oom_score_adj", "1000"));
}
