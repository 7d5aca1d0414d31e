//! Buckets of callers in Redis: one key each, the time at which it is full, gone by itself when it is. The script is
//! `Rate::take` by the server's clock.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use redis::Script;

use super::connection::Connection;
use crate::rate::{Buckets, BucketsAway, Rate, Taken};

/// Returns 0, or the microseconds to wait.
const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = tonumber(redis.call('GET', KEYS[1])) or now
local full = math.min(math.max(stored, now), now + tolerance)
-- Written before the clock was set back, by more than it ever wavers: how much is in it nobody knows, so it is full.
if stored > now + tolerance + 1000000 then full = now end
full = full + interval
local wait = full - now - tolerance
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0";

pub(super) struct RedisBuckets {
    connection: Arc<Connection>,
    prefix: String,
    take: Script,
}

impl RedisBuckets {
    pub(super) fn new(connection: Arc<Connection>, prefix: &str) -> Self {
        Self { connection, prefix: prefix.to_owned(), take: Script::new(TAKE) }
    }
}

#[async_trait]
impl Buckets for RedisBuckets {
    async fn take(&self, name: &str, rate: Rate) -> Result<Taken, BucketsAway> {
        let mut script = self.take.prepare_invoke();
        script.key(format!("{{{}}}:rate:{name}", self.prefix)).arg(rate.interval_us()).arg(rate.tolerance_us());
        let wait: u64 = self.connection.run(&script).await.map_err(|error| BucketsAway(Box::new(error)))?;
        Ok(if wait == 0 { Taken::Granted } else { Taken::Empty(Duration::from_micros(wait)) })
    }
}
