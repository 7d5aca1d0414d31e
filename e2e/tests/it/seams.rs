//! One conformance suite per seam; every backend must pass the same one.

mod database;
mod queue;
mod storage;
