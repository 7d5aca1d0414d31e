//! Real servers: Postgres, Redis, Garage. Each starts on free ports in a temporary folder.

mod garage;
mod postgres;
mod redis;

pub use garage::{Bucket, Garage, binary as garage_binary};
pub use postgres::Postgres;
pub use redis::Redis;
