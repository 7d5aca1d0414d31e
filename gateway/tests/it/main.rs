//! The gateway over real sockets, on SQLite and a directory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod maintenance;
mod server;
mod upload;
