//! The gateway: hyper in front, storage, queue and database behind. A library, so that `reelgate all` and the tests run
//! the same server as the thin `gateway` binary.
//!
//! A request's way: `server` (connection) → `service` (one request) → `route` (method and path) → a handler → `error` or
//! a response. Only `server`, `service` and `body` know hyper.

pub mod app;
pub mod body;
pub mod config;
pub mod error;
pub mod maintenance;
pub mod respond;
pub mod upload;

pub use config::GatewayConfig;
