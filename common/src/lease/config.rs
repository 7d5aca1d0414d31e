//! Config section `[leases]`: the policy of playback leases.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeasesConfig {
    /// A lease whose client asks for nothing and takes nothing for this long has ended.
    pub idle_ms: u64,
    /// No lease lives longer than this, or than `hard_cap_factor` times the file's duration, whichever is more.
    pub hard_cap_ms: u64,
    pub hard_cap_factor: u32,
    /// A client may go on from another network when its old one has been silent for this long.
    pub rebind_silence_ms: u64,
    /// So many times within an hour.
    pub rebinds_per_hour: u32,
    /// No client may go on from another network.
    pub strict: bool,
    /// Leases that one token may open; over it a living token is served and opens none.
    pub per_token: u32,
    /// Responses that one gateway sends at once under one lease.
    pub connections: u32,
    /// How often the database is told that a lease is in use.
    pub touch_ms: u64,
}

impl Default for LeasesConfig {
    fn default() -> Self {
        Self {
            idle_ms: 30 * 60 * 1_000,
            hard_cap_ms: 6 * 60 * 60 * 1_000,
            hard_cap_factor: 3,
            rebind_silence_ms: 10_000,
            rebinds_per_hour: 3,
            strict: false,
            per_token: 100,
            connections: 512,
            touch_ms: 60_000,
        }
    }
}

impl LeasesConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("idle_ms", self.idle_ms),
            ("hard_cap_ms", self.hard_cap_ms),
            ("per_token", self.per_token.into()),
            ("connections", self.connections.into()),
            ("touch_ms", self.touch_ms),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("{name} must be above 0")),
            // Else what is read from the database could be idle already while it is in use.
            None if self.touch_ms > self.idle_ms / 2 => Err("touch_ms must be at most half of idle_ms".to_owned()),
            None => Ok(()),
        }
    }

    #[must_use]
    pub fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    /// How long a lease of a file of this duration may live.
    #[must_use]
    pub fn hard_cap(&self, duration: Duration) -> Duration {
        Duration::from_millis(self.hard_cap_ms).max(duration.saturating_mul(self.hard_cap_factor))
    }

    #[must_use]
    pub fn rebind_silence(&self) -> Duration {
        Duration::from_millis(self.rebind_silence_ms)
    }

    #[must_use]
    pub fn touch(&self) -> Duration {
        Duration::from_millis(self.touch_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_senseless_values_are_not() {
        let good = LeasesConfig::default;
        good().validate().unwrap();
        assert!(LeasesConfig { idle_ms: 0, ..good() }.validate().is_err());
        assert!(LeasesConfig { connections: 0, ..good() }.validate().is_err());
        assert!(LeasesConfig { idle_ms: 60_000, ..good() }.validate().is_err(), "touched too seldom");
    }

    #[test]
    fn the_hard_cap_grows_with_the_film() {
        let hours = |n: u64| Duration::from_secs(n * 3_600);
        let cap = |film| LeasesConfig::default().hard_cap(film);
        assert_eq!([cap(hours(0)), cap(hours(2)), cap(hours(3))], [hours(6), hours(6), hours(9)]);
        assert_eq!(cap(Duration::MAX), Duration::MAX);
    }
}
