//! The worker: claims jobs, runs each in a child process, publishes what comes out. Knows no HTTP.

pub mod media;
pub mod plan;
pub mod task;
