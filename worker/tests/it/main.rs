//! The worker as a whole on the embedded backends. Tasks are scripted where a crash, a hang or a lost lease is wanted.

mod footing;
mod runner;
