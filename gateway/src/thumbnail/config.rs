//! Config section `[thumbnails]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThumbnailsConfig {
    /// How long an answer waits for one that must be made first.
    pub wait_ms: u64,
    /// Of one organisation, asked for and not made yet.
    pub max_waiting: u64,
    /// Of one organisation, in the store; the oldest make room.
    pub max_stored: u64,
}

impl Default for ThumbnailsConfig {
    fn default() -> Self {
        Self { wait_ms: 3_000, max_waiting: 200, max_stored: 20_000 }
    }
}

impl ThumbnailsConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.wait_ms > 30_000 {
            return Err("wait_ms must be at most 30000".to_owned());
        }
        if self.max_waiting == 0 || self.max_stored == 0 {
            return Err("max_waiting and max_stored must be at least 1".to_owned());
        }
        Ok(())
    }

    pub(super) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }
}
