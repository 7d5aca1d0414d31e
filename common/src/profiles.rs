//! Where a process's computing time and memory go, for whoever asks its operations port: `/debug/pprof/profile` and
//! `/debug/pprof/heap`, as pprof reads them. Off unless the settings want it; nothing is measured while nobody asks, and one is measured
//! at a time.

mod ask;
mod cpu;
mod heap;

use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::Duration,
};

use http::StatusCode;
use pprof_util::StackProfile;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

pub use self::{
    ask::{Ask, What},
    heap::jemalloc,
};

/// Config section `[profiling]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfilingConfig {
    pub enabled: bool,
}

/// Everything below it is about profiles.
pub const PREFIX: &str = "/debug/pprof/";

/// What the allocator of this program can tell: who holds memory that was asked for while it looked, or since the start where it was told to
/// look from then on.
pub type HeapProfiler = fn(&Watch) -> Result<StackProfile, Refusal>;

/// How long a profiler is to look, and whether anybody waits for it still.
#[derive(Debug)]
pub struct Watch {
    length: Duration,
    /// Whoever goes away drops the sender, and the profiler wakes up.
    gone: Receiver<()>,
}

impl Watch {
    /// Returns when it is time.
    ///
    /// # Errors
    /// Nobody waits any more.
    pub fn over(&self) -> Result<(), Refusal> {
        match self.gone.recv_timeout(self.length) {
            Err(RecvTimeoutError::Disconnected) => Err(Refusal::failed("nobody waits for it")),
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(()),
        }
    }
}

static HEAP: OnceLock<HeapProfiler> = OnceLock::new();

/// Says how this program's memory is profiled; only who chose the allocator knows. The first to say it is right.
pub fn heap_by(profiler: HeapProfiler) {
    // An error says that it was said before.
    _ = HEAP.set(profiler);
}

/// Of a profile: gzipped protocol buffers, for `go tool pprof` and what reads the same.
pub const CONTENT_TYPE: &str = "application/octet-stream";

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    /// The process was not started so that it can be told.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "profile_unavailable", detail)
    }

    /// Whatever the system or the profiler says.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "profile_failed",
            format!("The profile could not be taken: {error}."),
        )
    }
}

/// Takes profiles of this process. Clones share the one that may be taken at a time.
#[derive(Debug, Clone)]
pub struct Profiles {
    config: ProfilingConfig,
    place: Arc<Semaphore>,
}

impl Profiles {
    #[must_use]
    pub fn new(config: ProfilingConfig) -> Self {
        Self { config, place: Arc::new(Semaphore::new(1)) }
    }

    /// Answers a GET of `path`, which begins with `PREFIX`. Dropping the future ends the profile.
    ///
    /// # Errors
    /// Profiles are off, another one is being taken, the query cannot be understood, or the process cannot tell.
    pub async fn answer(&self, path: &str, query: Option<&str>) -> Result<Vec<u8>, Refusal> {
        if !self.config.enabled {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "Not Found"));
        }
        let ask = Ask::read(path, query)?;
        let place = self.place.clone().try_acquire_owned();
        let place = place.map_err(|_| {
            Refusal::new(StatusCode::CONFLICT, "profile_running", "A profile is being taken; try again when it is done")
        })?;
        let (_stay, gone) = channel();
        let watch = Watch { length: ask.length, gone };
        let taken = tokio::task::spawn_blocking(move || {
            let _place = place;
            let stacks = match ask.what {
                What::Cpu => cpu::stacks(&watch)?,
                What::Heap => held(&watch)?,
            };
            Ok(render(&stacks, ask.what))
        });
        taken.await.map_err(Refusal::failed)?
    }
}

fn held(watch: &Watch) -> Result<StackProfile, Refusal> {
    let none = || Refusal::unavailable("This program's allocator cannot tell");
    HEAP.get().ok_or_else(none)?(watch)
}

fn render(stacks: &StackProfile, what: What) -> Vec<u8> {
    match what {
        What::Cpu => stacks.to_pprof(("cpu", "nanoseconds"), ("cpu", "nanoseconds"), None),
        What::Heap => stacks.to_pprof(("inuse_space", "bytes"), ("space", "bytes"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(enabled: bool) -> Profiles {
        Profiles::new(ProfilingConfig { enabled })
    }

    #[tokio::test]
    async fn they_are_off_unless_wanted() {
        let refused = profiles(false).answer("/debug/pprof/profile", None).await.unwrap_err();
        assert_eq!((refused.status, refused.code), (StatusCode::NOT_FOUND, "not_found"));
    }

    #[tokio::test]
    async fn one_is_taken_at_a_time_and_ends_with_who_asked() {
        let profiles = profiles(true);
        let mut first = Box::pin(profiles.answer("/debug/pprof/profile", Some("seconds=50")));
        assert!(futures_util::poll!(&mut first).is_pending());
        let refused = profiles.answer("/debug/pprof/profile", Some("seconds=1")).await.unwrap_err();
        assert_eq!((refused.status, refused.code), (StatusCode::CONFLICT, "profile_running"));
        drop(first);
        let freed = profiles.place.acquire();
        tokio::time::timeout(Duration::from_secs(30), freed).await.expect("it goes on for nobody").unwrap().forget();
    }

    #[tokio::test]
    async fn who_cannot_tell_says_what_to_do() {
        let refused = profiles(true).answer("/debug/pprof/heap", None).await.unwrap_err();
        assert_eq!((refused.status, refused.code), (StatusCode::CONFLICT, "profile_unavailable"));
    }
}
