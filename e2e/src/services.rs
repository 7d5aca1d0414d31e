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

use crate::host::Hosts;

/// What the processes of a production site share.
pub struct Services {
    /// Address of a database of the site's own.
    pub database: String,
    pub redis: Redis,
    pub bucket: Bucket,
    /// Only of a site that has its own.
    pub postgres: Option<Postgres>,
    pub garage: Option<Garage>,
}

impl Services {
    /// With these in the environment of Postgres and of Redis.
    pub(crate) async fn start(
        own: bool,
        env: &[(String, String)],
        redis: &[(String, String)],
        hosts: &Hosts,
    ) -> Result<Self> {
        let redis = Redis::start_on(&hosts.redis, redis.to_vec()).await?;
        if own {
            let postgres = Postgres::start_on(&hosts.database, env.to_vec()).await?;
            let garage = Garage::start_on(&hosts.store).await?;
            let (database, bucket) = (postgres.fresh_database()?, garage.fresh_prefix());
            return Ok(Self { database, redis, bucket, postgres: Some(postgres), garage: Some(garage) });
        }
        let database = Postgres::shared().await?.fresh_database()?;
        let bucket = Garage::shared().await?.fresh_prefix();
        Ok(Self { database, redis, bucket, postgres: None, garage: None })
    }

    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut environment = self.bucket.environment();
        environment.push(("REELGATE__DATABASE__URL".to_owned(), self.database.clone()));
        environment.push(("REELGATE__QUEUE__URL".to_owned(), self.redis.url()));
        environment
    }
}

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
