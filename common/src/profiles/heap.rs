//! Who holds memory, as jemalloc knows it. It must be told at the start of the process that it may be asked; without that it costs
//! nothing and knows nothing.

use pprof_util::StackProfile;

use super::{Refusal, Watch};

/// How to be able to tell from the start on, and how to be able to be asked.
const START_WITH: &str = "Start the process with _RJEM_MALLOC_CONF=prof:true in its environment (prof:true,prof_active:false: only while asked)";

/// For programs whose allocator jemalloc is.
///
/// What is held of all that was asked for while this looked; since the process began, where it looks all the time.
pub fn jemalloc(watch: &Watch) -> Result<StackProfile, Refusal> {
    let control = jemalloc_pprof::PROF_CTL.as_ref().ok_or_else(|| Refusal::unavailable(START_WITH))?;
    let mut control = control.blocking_lock();
    if control.activated() {
        return control.dump_profile().map_err(Refusal::failed);
    }
    control.activate().map_err(Refusal::failed)?;
    let dumped = watch.over().and_then(|()| control.dump_profile().map_err(Refusal::failed));
    control.deactivate().map_err(Refusal::failed)?;
    dumped
}
