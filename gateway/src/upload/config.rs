//! Config section `[upload]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Parts per upload that we plan for; S3 takes 10,000.
const PLANNED_PARTS: u64 = 9_000;
/// Boundaries and headers around the content of a request.
const OVERHEAD: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadConfig {
    /// Largest file.
    pub max_file_bytes: u64,
    /// Largest request, all files together; 0 means one file of the largest size.
    pub max_request_bytes: u64,
    /// Files in one request.
    pub max_files: usize,
    /// Form fields besides the files; their text is thrown away.
    pub max_fields: usize,
    /// Text of all form fields together.
    pub max_field_bytes: usize,
    /// Headers of one part.
    pub max_header_bytes: usize,
    /// Requests with uploads that a gateway takes at once; more are sent away.
    pub max_at_once: usize,
    /// As many of one organisation; 0: any number.
    pub max_at_once_per_org: usize,
    /// No upload begins while more jobs than this wait for a worker, of all organisations; 0: any number.
    pub max_waiting_jobs: u64,
    /// Memory of all uploads of a gateway together.
    pub memory_bytes: usize,
    /// Smallest part sent to the store; S3 takes none below 5 MiB.
    pub min_part_bytes: u64,
    /// When memory is short: how long an upload may take over its part while others wait.
    pub turn_ms: u64,
    /// How often a gateway says that its uploads are alive; must be well below `maintenance.upload_silence_ms`.
    pub touch_ms: u64,
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            max_file_bytes: 50 << 30,
            max_request_bytes: 0,
            max_files: 100,
            max_fields: 1_000,
            max_field_bytes: 1 << 20,
            max_header_bytes: 16 << 10,
            max_at_once: 1_000,
            max_at_once_per_org: 500,
            max_waiting_jobs: 0,
            memory_bytes: 64 << 20,
            min_part_bytes: 5 << 20,
            turn_ms: 20_000,
            touch_ms: 10_000,
        }
    }
}

impl UploadConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("max_file_bytes", self.max_file_bytes),
            ("max_files", self.max_files as u64),
            ("max_at_once", self.max_at_once as u64),
            ("max_header_bytes", self.max_header_bytes as u64),
            ("min_part_bytes", self.min_part_bytes),
            ("turn_ms", self.turn_ms),
            ("touch_ms", self.touch_ms),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(format!("{name} must be above 0"));
        }
        let needed = 2 * self.part_bytes(None);
        if (self.memory_bytes as u64) < needed {
            return Err(format!("memory_bytes must be at least {needed}, two parts of the largest file"));
        }
        Ok(())
    }

    /// Largest body of a request.
    #[must_use]
    pub fn request_limit(&self) -> u64 {
        if self.max_request_bytes > 0 { self.max_request_bytes } else { self.max_file_bytes.saturating_add(OVERHEAD) }
    }

    /// Size of all parts of an upload but its last. `length` is the request's, if it says one.
    #[must_use]
    pub fn part_bytes(&self, length: Option<u64>) -> u64 {
        let length = length.unwrap_or(self.max_file_bytes).min(self.max_file_bytes);
        self.min_part_bytes.max(length.div_ceil(PLANNED_PARTS))
    }

    pub(crate) fn turn(&self) -> Duration {
        Duration::from_millis(self.turn_ms)
    }

    pub(crate) fn touch(&self) -> Duration {
        Duration::from_millis(self.touch_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        UploadConfig::default().validate().unwrap();
    }

    #[test]
    fn a_part_is_five_mebibytes_or_a_nine_thousandth() {
        let config = UploadConfig::default();
        assert_eq!(config.part_bytes(Some(1 << 30)), 5 << 20);
        assert_eq!(config.part_bytes(Some(50 << 30)), (50u64 << 30).div_ceil(9_000));
        assert_eq!(config.part_bytes(None), config.part_bytes(Some(u64::MAX)));
        assert!(config.max_file_bytes / config.part_bytes(None) < 10_000);
    }

    #[test]
    fn too_little_memory_for_the_largest_file_is_refused() {
        let config = UploadConfig { max_file_bytes: 1 << 44, ..UploadConfig::default() };
        assert!(config.validate().is_err());
    }
}
