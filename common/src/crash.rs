//! Places where a build for development dies when it is told to, so that tests can cut the power between any two steps. A
//! release build has none of it.

/// Ends the process as a crash would, nothing unwound and nothing flushed, if `REELGATE_CRASH_AT` names this point.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    if std::env::var("REELGATE_CRASH_AT").is_ok_and(|wanted| wanted == name) {
        tracing::error!("crashing at {name}, as told");
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_: &str) {}
