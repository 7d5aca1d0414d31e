//! Config section `[tokens]`.

use serde::{Deserialize, Serialize};

use crate::config::Secret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokensConfig {
    /// Comma-separated `kid:base64` of at least 32 bytes each; the first signs, all verify. Empty: `--data-dir` makes one.
    pub keys: Secret,
    pub ttl_seconds: u64,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self { keys: Secret::default(), ttl_seconds: super::STREAM_TOKEN_TTL.as_secs() }
    }
}
