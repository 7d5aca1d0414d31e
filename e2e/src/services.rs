//! Real servers: Postgres, Redis, Garage; and Moto, where a bucket must keep versions. Each starts on free ports in a temporary folder.

mod garage;
mod moto;
mod postgres;
mod redis;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

pub use garage::{Bucket, Garage, binary as garage_binary};
pub use moto::Moto;
pub use postgres::Postgres;
pub use redis::Redis;

/// A program that a script has put into the cache folder; `advice` is what makes it.
fn cached(program: &str, advice: &str) -> Result<PathBuf> {
    let cache = std::env::var_os("REELGATE_CACHE").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(base.join("reelgate"))
    });
    let path = cache.context("neither HOME nor REELGATE_CACHE is set")?.join(program);
    ensure!(path.exists(), "{} is missing: run {advice}", path.display());
    Ok(path)
}
