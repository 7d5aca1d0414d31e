//! The worker as a whole on the embedded backends. Tasks are scripted where a crash, a hang or a lost lease is wanted.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod damaged;
mod early;
mod footing;
mod lacking;
mod media;
mod pretended;
mod promotion;
mod publishing;
mod runner;
