//! Config section `[webhooks]`.

use std::time::Duration;

use reelgate_common::{config::list, webhook::DeliveryPolicy};
use serde::{Deserialize, Serialize};

use super::guard::Guard;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Endpoints of one organisation.
    pub max_endpoints: u64,
    /// Also `http:` addresses: what is sent can then be read and changed on its way.
    pub allow_http: bool,
    /// Ports that endpoints may have; empty: any.
    #[serde(deserialize_with = "list")]
    pub ports: Vec<u16>,
    /// Networks (`10.0.0.0/8`) and names (`hooks.internal`) that may be reached though their addresses are not public.
    #[serde(deserialize_with = "list")]
    pub allow_private: Vec<String>,
    /// How often the log is looked at for new events, and for deliveries that are due.
    pub poll_ms: u64,
    /// Deliveries on their way at once, of all endpoints and of one.
    pub max_at_once: u64,
    pub max_at_once_per_endpoint: u64,
    /// Time for finding the address, connecting and TLS; for the head of the answer from then on; and for all together.
    pub connect_timeout_ms: u64,
    pub head_timeout_ms: u64,
    pub total_timeout_ms: u64,
    /// A delivery that fails is tried again for this long.
    pub retry_ms: u64,
    /// Wait after the first failure; each further one doubles it, up to the second figure.
    pub backoff_base_ms: u64,
    pub backoff_max_ms: u64,
    /// An endpoint that has only failed for this long, and so many times, is disabled.
    pub disable_after_ms: u64,
    pub disable_failures: u64,
    /// How long the secret before the last rotation signs as well, unless the rotation says otherwise.
    pub rotation_grace_ms: u64,
    /// How long the log of deliveries is kept.
    pub keep_log_ms: u64,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self {
            max_endpoints: 20,
            allow_http: false,
            ports: vec![443, 8443],
            allow_private: Vec::new(),
            poll_ms: 1_000,
            max_at_once: 64,
            max_at_once_per_endpoint: 4,
            connect_timeout_ms: 5_000,
            head_timeout_ms: 10_000,
            total_timeout_ms: 15_000,
            retry_ms: 86_400_000,
            backoff_base_ms: 5_000,
            backoff_max_ms: 3_600_000,
            disable_after_ms: 259_200_000,
            disable_failures: 20,
            rotation_grace_ms: 86_400_000,
            keep_log_ms: 604_800_000,
        }
    }
}

impl WebhooksConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("poll_ms", self.poll_ms),
            ("max_at_once", self.max_at_once),
            ("max_at_once_per_endpoint", self.max_at_once_per_endpoint),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("head_timeout_ms", self.head_timeout_ms),
            ("total_timeout_ms", self.total_timeout_ms),
            ("backoff_base_ms", self.backoff_base_ms),
            ("disable_failures", self.disable_failures),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("{name} must be above 0")),
            None if self.max_at_once > 10_000 => Err("max_at_once must be at most 10000".to_owned()),
            None if self.backoff_max_ms < self.backoff_base_ms => {
                Err("backoff_max_ms must be at least backoff_base_ms".to_owned())
            }
            None => self.guard().map(drop),
        }
    }

    /// # Errors
    /// A sentence that names the key to change.
    pub(super) fn guard(&self) -> Result<Guard, String> {
        Guard::new(self.allow_http, &self.ports, &self.allow_private)
    }

    pub(super) fn policy(&self) -> DeliveryPolicy {
        DeliveryPolicy {
            retry_ms: self.retry_ms,
            backoff_base_ms: self.backoff_base_ms,
            backoff_max_ms: self.backoff_max_ms,
            disable_after_ms: self.disable_after_ms,
            disable_failures: i64::try_from(self.disable_failures).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(super) fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    pub(super) fn total_timeout(&self) -> Duration {
        Duration::from_millis(self.total_timeout_ms)
    }

    /// A claim holds for twice as long as an attempt may take, so nobody takes over what is still being sent.
    pub(super) fn lease(&self) -> Duration {
        self.total_timeout() * 2
    }

    pub(super) fn retry(&self) -> Duration {
        Duration::from_millis(self.retry_ms)
    }

    pub(super) fn keep_log(&self) -> Duration {
        Duration::from_millis(self.keep_log_ms)
    }

    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_senseless_values_are_not() {
        WebhooksConfig::default().validate().unwrap();
        for wrong in [
            WebhooksConfig { poll_ms: 0, ..WebhooksConfig::default() },
            WebhooksConfig { backoff_max_ms: 1, ..WebhooksConfig::default() },
            WebhooksConfig { allow_private: vec!["10.0.0.0/33".to_owned()], ..WebhooksConfig::default() },
        ] {
            assert!(wrong.validate().is_err(), "{wrong:?}");
        }
    }
}
