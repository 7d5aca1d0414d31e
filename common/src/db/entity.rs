//! Tables as sea-orm entities, and how their rows become domain types. Identifiers are bare UUIDs and words bare text
//! here, so that the domain need not know the database.
#![expect(unreachable_pub, reason = "sea-orm's derive writes public types")]

pub(super) mod attempts;
pub(super) mod deliveries;
pub(super) mod dropped_objects;
pub(super) mod epochs;
pub(super) mod event_counters;
pub(super) mod events;
pub(super) mod file_tags;
pub(super) mod files;
pub(super) mod jobs;
pub(super) mod leases;
pub(super) mod listener_leases;
pub(super) mod offices;
pub(super) mod renditions;
pub(super) mod resumable_parts;
pub(super) mod resumables;
pub(super) mod stills;
pub(super) mod upload_tokens;
pub(super) mod uploads;
pub(super) mod view_slots;
pub(super) mod views;
pub(super) mod webhooks;
pub(super) mod workers;

use std::{fmt::Display, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};

use super::DbError;

/// Reads a word, key or identifier of ours.
pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, DbError> {
    text.parse().map_err(|error: T::Err| DbError::Garbled(error.to_string()))
}

pub(super) fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Garbled(error.to_string()))
}

pub(super) fn write_json<T: Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Garbled(error.to_string()))
}

/// Both databases know signed numbers only.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned<T: TryFrom<i64>>(number: i64) -> Result<T, DbError> {
    T::try_from(number).map_err(|_| DbError::Garbled(format!("the number {number} is out of range")))
}
