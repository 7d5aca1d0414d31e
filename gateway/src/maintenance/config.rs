//! Config section `[maintenance]`. The defaults suit production; tests make the intervals short.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaintenanceConfig {
    /// How long a gateway that has died may seem to be the leader.
    pub term_ms: u64,
    /// How often due jobs are brought to the queue.
    pub dispatch_ms: u64,
    /// Jobs brought in one turn.
    pub dispatch_limit: u64,
    /// How often lost workers are looked for.
    pub reap_ms: u64,
    /// How often abandoned uploads are looked for.
    pub sweep_ms: u64,
    /// An upload that no gateway has touched for this long is abandoned.
    pub upload_silence_ms: u64,
    /// How often deleted files are purged, and files looked for whose time is over.
    pub purge_ms: u64,
    /// How often sources are moved out of staging.
    pub promote_ms: u64,
    /// How often the store is compared with the database.
    pub reconcile_ms: u64,
    /// Files whose objects are looked for in one turn of that comparison; the next turn goes on with the next ones.
    pub check_files: u64,
    /// Objects younger than this are never orphans. Longer than any playback lease lasts.
    pub orphan_grace_ms: u64,
    /// A sweep that would delete more objects than this deletes none and says so.
    pub stop_objects: u64,
    /// The same, in percent of all objects, for objects of files that the database does not know, and in percent of the
    /// files looked at, for files that miss objects.
    pub stop_percent: u64,
    /// Only say what would be deleted or mended.
    pub dry_run: bool,
    /// A transient file with neither upload nor job behind it counts as stuck after this.
    pub stuck_after_ms: u64,
    /// How often the gauges are set.
    pub gauges_ms: u64,
}

impl Default for MaintenanceConfig {
    fn default() -> Self {
        Self {
            term_ms: 15_000,
            dispatch_ms: 1_000,
            dispatch_limit: 1_000,
            reap_ms: 2_000,
            sweep_ms: 30_000,
            upload_silence_ms: 120_000,
            purge_ms: 5_000,
            promote_ms: 10_000,
            reconcile_ms: 3_600_000,
            check_files: 1_000,
            orphan_grace_ms: 86_400_000,
            stop_objects: 1_000,
            stop_percent: 1,
            dry_run: false,
            stuck_after_ms: 900_000,
            gauges_ms: 15_000,
        }
    }
}

/// How often each duty has its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    pub(crate) dispatch: Duration,
    pub(crate) reap: Duration,
    pub(crate) sweep: Duration,
    pub(crate) purge: Duration,
    pub(crate) promote: Duration,
    pub(crate) reconcile: Duration,
    pub(crate) gauges: Duration,
}

impl MaintenanceConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("term_ms", self.term_ms),
            ("dispatch_ms", self.dispatch_ms),
            ("dispatch_limit", self.dispatch_limit),
            ("reap_ms", self.reap_ms),
            ("sweep_ms", self.sweep_ms),
            ("upload_silence_ms", self.upload_silence_ms),
            ("purge_ms", self.purge_ms),
            ("promote_ms", self.promote_ms),
            ("reconcile_ms", self.reconcile_ms),
            ("check_files", self.check_files),
            ("gauges_ms", self.gauges_ms),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("{name} must be above 0")),
            None if self.stop_percent > 100 => Err("stop_percent must be at most 100".to_owned()),
            None => Ok(()),
        }
    }

    pub(crate) fn intervals(&self) -> Intervals {
        Intervals {
            dispatch: Duration::from_millis(self.dispatch_ms),
            reap: Duration::from_millis(self.reap_ms),
            sweep: Duration::from_millis(self.sweep_ms),
            purge: Duration::from_millis(self.purge_ms),
            promote: Duration::from_millis(self.promote_ms),
            reconcile: Duration::from_millis(self.reconcile_ms),
            gauges: Duration::from_millis(self.gauges_ms),
        }
    }

    pub(crate) fn term(&self) -> Duration {
        Duration::from_millis(self.term_ms)
    }

    pub(crate) fn upload_silence(&self) -> Duration {
        Duration::from_millis(self.upload_silence_ms)
    }

    pub(crate) fn orphan_grace(&self) -> Duration {
        Duration::from_millis(self.orphan_grace_ms)
    }

    pub(crate) fn stuck_after(&self) -> Duration {
        Duration::from_millis(self.stuck_after_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_zero_intervals_are_not() {
        MaintenanceConfig::default().validate().unwrap();
        assert!(MaintenanceConfig { reap_ms: 0, ..MaintenanceConfig::default() }.validate().is_err());
    }
}
