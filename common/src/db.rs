//! The database: the truth about files, renditions, jobs and uploads. Owner of `sea_orm`; nobody else names it.
//!
//! Invariants kept here and nowhere else:
//! - every helper that answers a person takes the organisation;
//! - every write of a result carries a `Fence` (`WHERE generation = ? AND attempt = ? AND deleted_at IS NULL`);
//! - every write transaction on SQLite is IMMEDIATE (`Db::write`), a bare `begin()` appears nowhere else;
//! - every transaction that changes what people see of a file tells it (`told`), and the event is written with it or not at all;
//! - times that several processes compare (heartbeats, leadership, due jobs) use the database's clock.

mod attempts;
mod backlog;
mod captions;
mod census;
pub mod config;
mod connect;
mod deliveries;
mod earned;
mod entity;
mod epochs;
mod error;
mod events;
mod examine;
mod fan_out;
mod fence;
mod files;
mod history;
mod jobs;
mod labels;
mod leader;
mod leases;
mod listeners;
mod listing;
mod missing;
mod parts;
pub mod presence;
mod promotion;
mod quotas;
mod read;
mod renditions;
mod requests;
mod resumables;
mod sending;
mod settle;
mod standings;
mod stills;
mod stuck;
mod told;
mod tombstones;
mod transaction;
mod transfer;
mod trash;
mod types;
mod upload_tokens;
mod uploads;
mod views;
mod wake;
mod webhooks;

pub use crate::listing::FileFilter;
pub use connect::Db;
pub use examine::Examined;
pub use sending::Taker;
pub use transfer::{IMPORT_OFFICE, LEFT_OUT, Row, Table, is_part};
pub use types::*;
