//! Config section `[events]`: the log of what has happened, and those who listen to it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// How long events are kept; who comes back later hears `reset`.
    pub keep_ms: u64,
    /// How often the database is asked for new events, also when nobody has said that there are some.
    pub poll_ms: u64,
    /// How often something is sent to those who would hear nothing.
    pub heartbeat_ms: u64,
    /// How long browsers are told to wait before they connect again.
    pub retry_ms: u64,
    /// No answer lasts longer; the listener connects again and goes on where it was.
    pub max_stream_ms: u64,
    /// Listeners of one gateway (503 above it), and of one organisation there (429).
    pub max_streams: usize,
    pub max_streams_per_org: usize,
    /// How often at most the progress of one upload is told.
    pub progress_ms: u64,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            keep_ms: 7 * 24 * 60 * 60 * 1_000,
            poll_ms: 1_000,
            heartbeat_ms: 15_000,
            retry_ms: 2_000,
            max_stream_ms: 60 * 60 * 1_000,
            max_streams: 5_000,
            max_streams_per_org: 1_000,
            progress_ms: 250,
        }
    }
}

impl EventsConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("keep_ms", self.keep_ms),
            ("poll_ms", self.poll_ms),
            ("heartbeat_ms", self.heartbeat_ms),
            ("max_stream_ms", self.max_stream_ms),
            ("max_streams", self.max_streams as u64),
            ("max_streams_per_org", self.max_streams_per_org as u64),
            ("progress_ms", self.progress_ms),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("{name} must be above 0")),
            None => Ok(()),
        }
    }

    pub(crate) fn keep(&self) -> Duration {
        Duration::from_millis(self.keep_ms)
    }

    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    pub(crate) fn max_stream(&self) -> Duration {
        Duration::from_millis(self.max_stream_ms)
    }

    pub(crate) fn progress(&self) -> Duration {
        Duration::from_millis(self.progress_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_senseless_values_are_not() {
        EventsConfig::default().validate().unwrap();
        assert!(EventsConfig { poll_ms: 0, ..EventsConfig::default() }.validate().is_err());
        assert!(EventsConfig { max_streams: 0, ..EventsConfig::default() }.validate().is_err());
    }
}
