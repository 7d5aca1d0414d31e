//! Config section `[database]`.

use serde::{Deserialize, Serialize};

use crate::config::Secret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` (only `reelgate all`) or `postgres://…`.
    pub url: Secret,
    pub max_connections: u32,
    /// Longest wait for a free connection or a locked database.
    pub timeout_ms: u64,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: Secret::new("sqlite:./reelgate-data/reelgate.db"), max_connections: 16, timeout_ms: 2_000 }
    }
}
