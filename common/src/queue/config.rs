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
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { url: Secret::new("memory:"), timeout_ms: 1_000, prefix: "reelgate".to_owned() }
    }
}
