//! Config section `[events]`: the log of what has happened.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// How long events are kept; who comes back later hears `reset`.
    pub keep_ms: u64,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { keep_ms: 7 * 24 * 60 * 60 * 1_000 }
    }
}

impl EventsConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.keep_ms == 0 { Err("keep_ms must be above 0".to_owned()) } else { Ok(()) }
    }

    pub(crate) fn keep(&self) -> Duration {
        Duration::from_millis(self.keep_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_senseless_values_are_not() {
        EventsConfig::default().validate().unwrap();
        assert!(EventsConfig { keep_ms: 0 }.validate().is_err());
    }
}
