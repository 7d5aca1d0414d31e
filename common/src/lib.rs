//! What gateway and worker share: domain words, storage, queue, database access, tokens, sign-in, configuration.
//!
//! Imports nothing of the workspace. Each foreign service has one owner here: `redis` in `queue::redis`,
//! `object_store` in `storage::s3`, `sea_orm` in `db`.

pub mod auth;
pub mod backends;
pub mod captions;
mod closed_set;
pub mod config;
pub mod crash;
pub mod db;
pub mod earned;
pub mod event;
pub mod file;
pub mod grid;
pub mod hex;
pub mod http_client;
pub mod ids;
pub mod job;
pub mod key;
pub mod labels;
pub mod lane;
pub mod lease;
pub mod listing;
pub mod media_info;
pub mod metric;
pub mod piece;
pub mod profiles;
pub mod program;
pub mod promote;
pub mod queue;
pub mod quota;
pub mod rate;
pub mod readiness;
pub mod rendition;
pub mod resumable;
pub mod states;
pub mod still;
pub mod storage;
pub mod telemetry;
pub mod timestamp;
pub mod tokens;
pub mod traces;
pub mod transfer;
pub mod webhook;

pub use closed_set::UnknownWord;
