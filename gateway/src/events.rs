//! What happens to files, told live. The log is the database's (`common::db::events`).

pub mod config;
