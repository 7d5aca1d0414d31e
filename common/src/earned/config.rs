//! Config section `[earned]`. Gateways count, decide and drop; workers hold back what is to be earned.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Level;
use crate::config::list;

const DAY_MS: u64 = 86_400_000;
/// Ten years: more is a slip of the pen, and would overflow a clock.
const LONGEST_MS: u64 = 3_660 * DAY_MS;
/// Views are counted in so many slots of a window.
const SLOTS: u64 = 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarnedPolicy {
    pub enabled: bool,
    /// Heights that are made at once, in H.264. A list or a comma-separated text.
    #[serde(deserialize_with = "list")]
    pub start_rungs: Vec<u32>,
    /// Views within the window that earn a file the other heights.
    pub rungs_after_views: u64,
    /// Views within the window that earn a file the other codecs.
    pub codecs_after_views: u64,
    pub window_ms: u64,
    /// An earned rendition that nobody was shown for so long is dropped.
    pub cold_after_ms: u64,
    /// How often it is written down that a rendition is shown.
    pub touch_ms: u64,
    /// How often it is looked whether anything is earned, or to be dropped.
    pub look_ms: u64,
    /// How long after a rendition its objects go.
    pub grace_ms: u64,
}

impl Default for EarnedPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            start_rungs: vec![720, 360],
            rungs_after_views: 3,
            codecs_after_views: 50,
            window_ms: 30 * DAY_MS,
            cold_after_ms: 60 * DAY_MS,
            touch_ms: 3_600_000,
            look_ms: 10_000,
            grace_ms: 600_000,
        }
    }
}

impl EarnedPolicy {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.rungs_after_views == 0 || self.codecs_after_views == 0 {
            return Err("rungs_after_views and codecs_after_views must be at least 1".to_owned());
        }
        if self.look_ms == 0 || self.touch_ms == 0 {
            return Err("look_ms and touch_ms must be above 0".to_owned());
        }
        if !(1_000..=LONGEST_MS).contains(&self.window_ms) {
            return Err(format!("window_ms must be from 1000 to {LONGEST_MS}"));
        }
        if self.cold_after_ms > LONGEST_MS || self.grace_ms > LONGEST_MS {
            return Err(format!("cold_after_ms and grace_ms must be at most {LONGEST_MS}"));
        }
        // Else what was dropped would be made again by the views that it had before.
        if self.cold_after_ms < self.window_ms {
            return Err("cold_after_ms must be at least window_ms".to_owned());
        }
        // Else what is being shown could look cold.
        if self.touch_ms > self.cold_after_ms / 4 {
            return Err("touch_ms must be at most a quarter of cold_after_ms".to_owned());
        }
        Ok(())
    }

    /// Views within the window that earn what is of this level.
    #[must_use]
    pub fn views_for(&self, level: Level) -> u64 {
        match level {
            Level::Rung => self.rungs_after_views,
            Level::Codec => self.codecs_after_views,
        }
    }

    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }

    /// The length of the slots that views are counted in.
    #[must_use]
    pub fn slot(&self) -> Duration {
        Duration::from_millis((self.window_ms / SLOTS).max(1))
    }

    #[must_use]
    pub fn cold_after(&self) -> Duration {
        Duration::from_millis(self.cold_after_ms)
    }

    #[must_use]
    pub fn touch(&self) -> Duration {
        Duration::from_millis(self.touch_ms)
    }

    #[must_use]
    pub fn look(&self) -> Duration {
        Duration::from_millis(self.look_ms)
    }

    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_off_and_valid() {
        let policy = EarnedPolicy::default();
        policy.validate().unwrap();
        assert!(!policy.enabled);
        assert_eq!(policy.slot(), Duration::from_secs(86_400));
    }

    #[test]
    fn values_that_cannot_work_are_named() {
        let refused = |change: fn(&mut EarnedPolicy)| {
            let mut policy = EarnedPolicy::default();
            change(&mut policy);
            policy.validate().unwrap_err()
        };
        assert!(refused(|policy| policy.rungs_after_views = 0).contains("rungs_after_views"));
        assert!(refused(|policy| policy.look_ms = 0).contains("look_ms"));
        assert!(refused(|policy| policy.window_ms = 999).contains("window_ms"));
        assert!(refused(|policy| policy.window_ms = u64::MAX).contains("window_ms"));
        assert!(refused(|policy| policy.grace_ms = u64::MAX).contains("grace_ms"));
        assert!(refused(|policy| policy.cold_after_ms = policy.window_ms - 1).contains("at least window_ms"));
        assert!(refused(|policy| policy.touch_ms = policy.cold_after_ms / 4 + 1).contains("touch_ms"));
    }
}
