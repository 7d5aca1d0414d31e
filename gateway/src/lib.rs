//! The gateway: hyper in front, storage, queue and database behind. A library, so that `reelgate all` and the tests run
//! the same server as the thin `gateway` binary.
//!
//! A request's way: `server` (connection) → `service` (one request) → `route` (method and path) → a handler → `error` or
//! a response. Only `server`, `service` and `body` know hyper.

mod access_log;
mod announce;
pub mod app;
pub mod body;
mod byteranges;
pub mod cache;
mod cache_upkeep;
mod captions;
mod conditional;
pub mod config;
mod cors;
mod cost;
mod delete;
mod demand;
mod disposition;
mod endpoint;
mod entry;
pub mod error;
pub mod events;
pub mod file_json;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod grant;
mod hls;
mod images;
pub mod job_json;
mod jobs;
mod json_body;
mod lease;
mod leases;
pub mod maintenance;
mod mint;
mod network;
mod objects;
pub mod openapi;
mod ops;
mod page;
mod plan_json;
mod play;
mod presented;
mod query;
mod range;
mod rates;
pub mod reconcile;
mod regulars;
mod representation;
mod request_id;
pub mod respond;
mod revoke;
mod route;
mod rows;
mod run;
mod scaling;
mod second_look;
mod server;
mod service;
mod spans;
mod stream;
pub mod tally;
pub mod thumbnail;
mod tls;
pub mod trash;
pub mod upload;
mod usage;
mod virtual_file;
pub mod webhooks;

pub use config::GatewayConfig;
pub use run::{Gateway, StartError, run, start};
pub use server::short_of_descriptors;
pub use tls::{TlsError, check_tls};
