//! The gateway over real sockets, on SQLite, a directory and the in-process queue.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admission;
mod bench;
mod bombs;
mod connections;
mod contract;
mod deletion;
mod hls;
mod leases;
mod maintenance;
mod ranges;
mod sendfile;
mod server;
mod streaming;
mod tokens;
mod upload;
