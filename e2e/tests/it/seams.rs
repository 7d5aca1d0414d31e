//! One conformance suite per seam; every backend must pass the same one.

mod database;
mod lease_cache;
mod queue;
mod rates;
mod signals;
mod storage;
