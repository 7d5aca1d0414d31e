//! Integration tests of `reelgate-common`, one binary.

mod auth;
