//! Playback leases in Redis: for each token and file a hash of leases, and each lease by its name; all of it goes by
//! itself. One script writes many, so that a gateway tells in one call who was here.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use redis::{Script, cmd};

use super::{connection::Connection, values::millis};
use crate::{
    ids::FileId,
    lease::{
        LeaseId, PlaybackLease,
        cache::{LeaseCache, LeaseCacheError},
    },
    queue::QueueError,
};

/// Keys come in pairs: the token's hash, the lease itself. A lease that was bound or pinned by another gateway meanwhile
/// is written again by that one within a second.
const PUT: &str = "
for i = 1, #KEYS, 2 do
  local id, lease = ARGV[i + 1], ARGV[i + 2]
  redis.call('HSET', KEYS[i], id, lease)
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
  redis.call('SET', KEYS[i + 1], lease, 'PX', ARGV[1])
end
return #KEYS / 2";

pub(super) struct RedisLeases {
    connection: Arc<Connection>,
    prefix: String,
    put: Script,
}

impl RedisLeases {
    pub(super) fn new(connection: Arc<Connection>, prefix: &str) -> Self {
        Self { connection, prefix: prefix.to_owned(), put: Script::new(PUT) }
    }

    fn token_key(&self, token_id: &str, file: FileId) -> String {
        format!("{{{}}}:leases:{file}:{token_id}", self.prefix)
    }

    fn lease_key(&self, id: LeaseId) -> String {
        format!("{{{}}}:lease:{id}", self.prefix)
    }
}

fn no_answer(error: QueueError) -> LeaseCacheError {
    LeaseCacheError(Box::new(error))
}

/// Written by a newer build, or by somebody else: as good as not there.
fn read(text: &str) -> Option<PlaybackLease> {
    serde_json::from_str(text).ok()
}

#[async_trait]
impl LeaseCache for RedisLeases {
    async fn put(&self, leases: &[PlaybackLease], keep: Duration) -> Result<(), LeaseCacheError> {
        let mut script = self.put.prepare_invoke();
        script.arg(millis(keep));
        for lease in leases {
            let text = serde_json::to_string(lease).map_err(|error| LeaseCacheError(Box::new(error)))?;
            script.key(self.token_key(&lease.token_id, lease.file)).key(self.lease_key(lease.id));
            script.arg(lease.id.to_string()).arg(text);
        }
        self.connection.run::<u64>(&script).await.map(drop).map_err(no_answer)
    }

    async fn of_token(&self, token_id: &str, file: FileId) -> Result<Vec<PlaybackLease>, LeaseCacheError> {
        let mut command = cmd("HVALS");
        command.arg(self.token_key(token_id, file));
        let found: Vec<String> = self.connection.ask(&command).await.map_err(no_answer)?;
        Ok(found.iter().filter_map(|text| read(text)).collect())
    }

    async fn find(&self, id: LeaseId) -> Result<Option<PlaybackLease>, LeaseCacheError> {
        let mut command = cmd("GET");
        command.arg(self.lease_key(id));
        let found: Option<String> = self.connection.ask(&command).await.map_err(no_answer)?;
        Ok(found.as_deref().and_then(read))
    }
}
