//! Config sections `[resumable]` and `[quota]`.

use std::time::Duration;

use reelgate_common::quota::Quota;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResumableConfig {
    /// An upload that nothing is added to for this long is given up.
    pub expires_ms: u64,
    /// Who goes on with an upload waits at most this long for another request that has it.
    pub take_over_ms: u64,
    /// Longest life of an upload token.
    pub max_token_seconds: u64,
    /// Whether the IETF's draft of resumable uploads is spoken beside tus.
    pub ietf: bool,
}

impl Default for ResumableConfig {
    fn default() -> Self {
        Self { expires_ms: 86_400_000, take_over_ms: 2_000, max_token_seconds: 86_400, ietf: false }
    }
}

impl ResumableConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [("expires_ms", self.expires_ms), ("max_token_seconds", self.max_token_seconds)];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("{name} must be above 0")),
            // One that lives looks whether it is wanted four times a second, and may have a part to store.
            None if self.take_over_ms < 500 => Err("take_over_ms must be at least 500".to_owned()),
            None => Ok(()),
        }
    }

    pub(super) fn lasts(&self) -> Duration {
        Duration::from_millis(self.expires_ms)
    }

    pub(super) fn take_over(&self) -> Duration {
        Duration::from_millis(self.take_over_ms)
    }
}

/// What each organisation may have; 0: any number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaConfig {
    /// Bytes as uploaded, those announced by uploads under way included; what is made from them is not counted.
    pub max_bytes: u64,
    /// Files, those on their way included.
    pub max_files: u64,
    /// Uploads under way.
    pub max_uploads: u64,
}

impl QuotaConfig {
    pub(crate) fn quota(&self) -> Quota {
        Quota { bytes: self.max_bytes, files: self.max_files, uploads: self.max_uploads }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_limit_nothing() {
        ResumableConfig::default().validate().unwrap();
        assert!(!QuotaConfig::default().quota().is_set());
        assert!(ResumableConfig { take_over_ms: 100, ..ResumableConfig::default() }.validate().is_err());
    }
}
