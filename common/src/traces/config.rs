//! Config section `[traces]`.

use serde::{Deserialize, Serialize};

/// What OTLP over HTTP adds to the address of a collector.
const PATH: &str = "/v1/traces";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    /// Where spans are sent (OTLP over HTTP, protobuf): `http://collector:4318`; `/v1/traces` is added unless it has a path. Unset: what
    /// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT says, and without these there are no traces.
    pub endpoint: Option<String>,
    /// How many of the traces that begin here are exported, 0.0 to 1.0. One that is gone on with is exported if its beginning is.
    pub sample_ratio: f64,
    /// Whose `traceparent` a request goes on with.
    pub accept: Accept,
    /// Spans that wait to be sent; more are thrown away.
    pub max_waiting: usize,
    /// How long a span waits for others to be sent with.
    pub flush_ms: u64,
    /// Longest time for sending.
    pub timeout_ms: u64,
}

/// Who goes on with a trace says whether it is exported, which costs us something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    Nobody,
    /// Who is among `http.trusted_proxies`.
    Proxies,
    Everybody,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            sample_ratio: 1.0,
            accept: Accept::Proxies,
            max_waiting: 4_096,
            flush_ms: 2_000,
            timeout_ms: 5_000,
        }
    }
}

impl TracesConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err("sample_ratio must be from 0.0 to 1.0".to_owned());
        }
        if self.max_waiting == 0 || self.flush_ms == 0 || self.timeout_ms == 0 {
            return Err("max_waiting, flush_ms and timeout_ms must be above 0".to_owned());
        }
        match self.endpoint.as_deref().map(address) {
            Some(Err(message)) => Err(message),
            _ => Ok(()),
        }
    }

    /// Where spans go, with what the environment says where the configuration says nothing. `None`: there are no traces.
    ///
    /// # Errors
    /// It is no address.
    pub fn destination(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
        let said = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        if said("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        if let Some(endpoint) = self.endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) {
            return address(endpoint).map(Some);
        }
        if let Some(exact) = said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            return parsed(&exact).map(|url| Some(url.to_string()));
        }
        let base = said("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| format!("{}{PATH}", base.trim_end_matches('/')));
        base.map(|base| parsed(&base).map(|url| url.to_string())).transpose()
    }

    /// Whether a request's `traceparent` is gone on with; `trusted`: it came from a trusted proxy.
    #[must_use]
    pub fn accepts(&self, trusted: bool) -> bool {
        match self.accept {
            Accept::Nobody => false,
            Accept::Proxies => trusted,
            Accept::Everybody => true,
        }
    }
}

fn address(endpoint: &str) -> Result<String, String> {
    let mut url = parsed(endpoint)?;
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url.to_string())
}

fn parsed(endpoint: &str) -> Result<url::Url, String> {
    let refused = || format!("endpoint: {endpoint:?} is no http: or https: address");
    let url = url::Url::parse(endpoint).map_err(|_| refused())?;
    let known = matches!(url.scheme(), "http" | "https") && url.has_host();
    // What stands before the host would be a credential, and is shown wherever the address is.
    let plain = url.username().is_empty() && url.password().is_none();
    if known && plain { Ok(url) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(config: &TracesConfig, environment: &[(&str, &str)]) -> Result<Option<String>, String> {
        config.destination(|name| environment.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
    }

    fn to(endpoint: &str) -> TracesConfig {
        TracesConfig { endpoint: Some(endpoint.to_owned()), ..TracesConfig::default() }
    }

    #[test]
    fn there_are_no_traces_unless_somebody_says_where_they_go() {
        assert_eq!(destination(&TracesConfig::default(), &[]), Ok(None));
        assert_eq!(destination(&TracesConfig::default(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Ok(None));
        assert_eq!(destination(&to("http://a:4318"), &[("OTEL_SDK_DISABLED", "true")]), Ok(None));
    }

    #[test]
    fn the_configuration_wins_over_the_environment_and_its_narrower_name_over_the_wider() {
        let wide = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://wide:4318/otel/");
        let narrow = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://narrow:4318/traces");
        let none = TracesConfig::default();
        assert_eq!(destination(&none, &[wide]).unwrap().unwrap(), "http://wide:4318/otel/v1/traces");
        assert_eq!(destination(&none, &[wide, narrow]).unwrap().unwrap(), "http://narrow:4318/traces");
        assert_eq!(destination(&to("http://a:4318"), &[wide]).unwrap().unwrap(), "http://a:4318/v1/traces");
        assert_eq!(destination(&to("https://a/in"), &[]).unwrap().unwrap(), "https://a/in");
    }

    #[test]
    fn values_that_cannot_work_are_named() {
        for endpoint in ["a:4318", "ftp://a/", "http://", "http://user:word@a/"] {
            assert!(to(endpoint).validate().unwrap_err().contains("endpoint"), "{endpoint}");
        }
        assert!(TracesConfig { sample_ratio: 1.5, ..TracesConfig::default() }.validate().is_err());
        assert!(TracesConfig { sample_ratio: f64::NAN, ..TracesConfig::default() }.validate().is_err());
        assert!(TracesConfig { max_waiting: 0, ..TracesConfig::default() }.validate().is_err());
    }
}
