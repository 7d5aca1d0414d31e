//! Config section `[queue]`.

use serde::{Deserialize, Serialize};

use crate::config::Secret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// `memory:` (only `reelgate all`) or `redis://…`, `rediss://…`, `redis+unix:///path`.
    pub url: Secret,
    /// Longest wait for an answer; a request path never waits longer than this for Redis.
    pub timeout_ms: u64,
    /// Keys are named `{prefix}:…`; several deployments may share one Redis.
    pub prefix: String,
    /// How many of one organisation's jobs may wait here; the rest stays in the database.
    pub per_org: usize,
}

impl QueueConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.timeout_ms == 0 || self.per_org == 0 {
            return Err("queue.timeout_ms and queue.per_org must be at least 1".to_owned());
        }
        if self.prefix.is_empty() || self.prefix.contains(['{', '}']) {
            return Err("queue.prefix must not be empty nor contain braces".to_owned());
        }
        Ok(())
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { url: Secret::new("memory:"), timeout_ms: 1_000, prefix: "reelgate".to_owned(), per_org: 100 }
    }
}
