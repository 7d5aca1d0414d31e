//! Config section `[trash]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Ten years.
const LONGEST_MS: u64 = 10 * 366 * 86_400_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrashConfig {
    /// How long deleted files can be restored; 0: what is deleted is gone at once.
    pub keep_ms: u64,
}

impl TrashConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.keep_ms > LONGEST_MS { Err(format!("keep_ms must be at most {LONGEST_MS}")) } else { Ok(()) }
    }

    /// `None`: there is no trash.
    pub(crate) fn keep(&self) -> Option<Duration> {
        (self.keep_ms > 0).then(|| Duration::from_millis(self.keep_ms))
    }
}
