//! Integration tests of `reelgate-common`, one binary.
#![allow(clippy::unwrap_used, reason = "clippy's leave for tests does not reach their helper functions")]

mod auth;
