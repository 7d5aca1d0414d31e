//! Config section `[http]`, and the sections a gateway reads.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use http::HeaderValue;
use reelgate_common::{
    auth::config::AuthConfig,
    config::{ConfigError, RawConfig, list},
    earned::EarnedPolicy,
    job::JobPolicy,
    lease::LeasesConfig,
    profiles::ProfilingConfig,
    tokens::config::TokensConfig,
    traces::TracesConfig,
};
use serde::{Deserialize, Serialize};

use crate::{
    cache::config::CacheConfig,
    events::config::EventsConfig,
    maintenance::config::MaintenanceConfig,
    network::Network,
    thumbnail::config::ThumbnailsConfig,
    trash::config::TrashConfig,
    upload::{
        config::UploadConfig,
        tus::config::{QuotaConfig, ResumableConfig},
    },
    webhooks::config::WebhooksConfig,
};

/// Everything a gateway needs to know besides its backends.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GatewayConfig {
    pub http: HttpConfig,
    pub upload: UploadConfig,
    pub resumable: ResumableConfig,
    pub quota: QuotaConfig,
    pub cache: CacheConfig,
    pub events: EventsConfig,
    pub thumbnails: ThumbnailsConfig,
    pub traces: TracesConfig,
    pub trash: TrashConfig,
    pub earned: EarnedPolicy,
    pub maintenance: MaintenanceConfig,
    pub auth: AuthConfig,
    pub tokens: TokensConfig,
    pub jobs: JobPolicy,
    pub profiling: ProfilingConfig,
    pub leases: LeasesConfig,
    pub webhooks: WebhooksConfig,
}

impl GatewayConfig {
    /// Reads and checks the sections of a gateway.
    ///
    /// # Errors
    /// A key is unknown, of the wrong type, or its value is refused.
    pub fn from_raw(raw: &RawConfig) -> Result<Self, ConfigError> {
        let config = Self {
            http: raw.section("http")?,
            upload: raw.section("upload")?,
            resumable: raw.section("resumable")?,
            quota: raw.section("quota")?,
            cache: raw.section("cache")?,
            events: raw.section("events")?,
            thumbnails: raw.section("thumbnails")?,
            traces: raw.section("traces")?,
            trash: raw.section("trash")?,
            earned: raw.section("earned")?,
            maintenance: raw.section("maintenance")?,
            auth: raw.section("auth")?,
            tokens: raw.section("tokens")?,
            jobs: raw.section("jobs")?,
            profiling: raw.section("profiling")?,
            leases: raw.section("leases")?,
            webhooks: raw.section("webhooks")?,
        };
        config.validate()?;
        Ok(config)
    }

    /// # Errors
    /// A value is refused.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let named = |section| move |message| ConfigError::Invalid { section, message };
        self.http.validate().map_err(named("http"))?;
        self.upload.validate().map_err(named("upload"))?;
        self.resumable.validate().map_err(named("resumable"))?;
        self.cache.validate().map_err(named("cache"))?;
        self.events.validate().map_err(named("events"))?;
        self.thumbnails.validate().map_err(named("thumbnails"))?;
        self.traces.validate().map_err(named("traces"))?;
        self.trash.validate().map_err(named("trash"))?;
        self.earned.validate().map_err(named("earned"))?;
        self.maintenance.validate().map_err(named("maintenance"))?;
        self.leases.validate().map_err(named("leases"))?;
        self.webhooks.validate().map_err(named("webhooks"))?;
        if self.maintenance.upload_silence_ms < self.upload.touch_ms.saturating_mul(3) {
            // Else the sweeper would close uploads that live.
            let message = "upload_silence_ms must be at least three times upload.touch_ms".to_owned();
            return Err(named("maintenance")(message));
        }
        self.jobs.validate().map_err(named("jobs"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address of the API; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Address of `/healthz`, `/readyz`, `/metrics`, `/scaling` and `/drain`; never the same as `listen`.
    pub ops_listen: SocketAddr,
    /// Proxies (`10.0.0.7`, `10.0.0.0/8`) whose `X-Forwarded-For` and `X-Request-Id` are believed.
    #[serde(deserialize_with = "list")]
    pub trusted_proxies: Vec<String>,
    /// Origins whose pages may use the API; `*` is every one. A list or a comma-separated text.
    #[serde(deserialize_with = "list")]
    pub cors_origins: Vec<String>,
    /// Certificate chain and key of the API's listener, PEM files; without them it speaks plain HTTP.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// How often both files are looked at for a change; SIGHUP does it at once.
    pub tls_reload_ms: u64,
    /// How long a browser that was answered over TLS never comes back without it (`Strict-Transport-Security`); 0: nothing is said.
    pub hsts_seconds: u64,
    /// Time for a TLS handshake, and for a request's head.
    pub header_timeout_ms: u64,
    /// Time without a request on an open connection.
    pub idle_timeout_ms: u64,
    /// Time without a byte while a request's body flows.
    pub body_idle_timeout_ms: u64,
    /// Time in which a client that is being sent something takes nothing, e.g. a paused player.
    pub send_stall_timeout_ms: u64,
    /// Bytes per second that a client must take while something waits for it, over a minute (over `send_stall_timeout_ms`
    /// if that is shorter); 0: any rate. A player that pauses takes none, so a rate ends what that timeout would bear.
    pub min_send_rate: u64,
    pub max_headers: usize,
    /// Connections at once; more wait in the system's backlog.
    pub max_connections: usize,
    /// Connections at once of one address (of IPv6: one /64); 0: any number. Trusted proxies are not counted.
    pub max_connections_per_client: usize,
    /// Plain HTTP/1.1 sends what lies on the disk tier from its files, without reading it (`sendfile`).
    pub sendfile: bool,
    /// Requests per second that one caller may make of what is no stream; 0: any number.
    pub requests_per_second: u32,
    /// As many at once after a pause.
    pub request_burst: u32,
    /// How long responses under way may go on after the stop signal.
    pub drain_seconds: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            ops_listen: SocketAddr::from(([127, 0, 0, 1], 9090)),
            trusted_proxies: Vec::new(),
            cors_origins: vec!["*".to_owned()],
            tls_cert: None,
            tls_key: None,
            tls_reload_ms: 10_000,
            hsts_seconds: 31_536_000,
            header_timeout_ms: 15_000,
            idle_timeout_ms: 60_000,
            body_idle_timeout_ms: 60_000,
            send_stall_timeout_ms: 900_000,
            min_send_rate: 0,
            max_headers: 100,
            max_connections: 20_000,
            max_connections_per_client: 0,
            sendfile: true,
            requests_per_second: 500,
            request_burst: 5_000,
            drain_seconds: 30,
        }
    }
}

impl HttpConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.listen == self.ops_listen && self.listen.port() != 0 {
            return Err("ops_listen must differ from listen".to_owned());
        }
        for (name, value) in [
            ("tls_reload_ms", self.tls_reload_ms),
            ("header_timeout_ms", self.header_timeout_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
            ("body_idle_timeout_ms", self.body_idle_timeout_ms),
            ("send_stall_timeout_ms", self.send_stall_timeout_ms),
        ] {
            if value == 0 {
                return Err(format!("{name} must be above 0"));
            }
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err("tls_cert and tls_key belong together: set both or none".to_owned());
        }
        if self.max_connections == 0 || self.max_headers == 0 {
            return Err("max_connections and max_headers must be above 0".to_owned());
        }
        if let Some(origin) = self.cors_origins.iter().find(|origin| HeaderValue::from_str(origin).is_err()) {
            return Err(format!("cors_origins: {origin:?} is not an origin"));
        }
        self.trusted_proxies.iter().try_for_each(|text| {
            text.parse::<Network>().map(drop).map_err(|error| format!("trusted_proxies: {text:?} is {error}"))
        })
    }

    #[must_use]
    pub fn header_timeout(&self) -> Duration {
        Duration::from_millis(self.header_timeout_ms)
    }

    #[must_use]
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    #[must_use]
    pub fn tls_reload_interval(&self) -> Duration {
        Duration::from_millis(self.tls_reload_ms)
    }

    /// What every answer over TLS bears. Never over plain HTTP, where browsers must not believe it (RFC 6797, 7.2).
    #[must_use]
    pub fn strict_transport(&self) -> Option<HeaderValue> {
        let said = self.tls_cert.is_some() && self.hsts_seconds > 0;
        said.then(|| HeaderValue::try_from(format!("max-age={}", self.hsts_seconds)).expect("digits fit into a header"))
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }

    #[must_use]
    pub fn body_idle_timeout(&self) -> Duration {
        Duration::from_millis(self.body_idle_timeout_ms)
    }

    #[must_use]
    pub fn send_stall_timeout(&self) -> Duration {
        Duration::from_millis(self.send_stall_timeout_ms)
    }

    /// Whether what this peer says about its client is believed.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies
            .iter()
            .filter_map(|text| text.parse::<Network>().ok())
            .any(|network| network.contains(peer))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn from_environment(pairs: &[(&str, &str)]) -> Result<GatewayConfig, ConfigError> {
        let environment = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        GatewayConfig::from_raw(&RawConfig::load_with(None, environment.collect::<HashMap<_, _>>())?)
    }

    #[test]
    fn lists_may_come_from_the_environment() {
        let origins = "https://a.example, https://b.example";
        let config = from_environment(&[
            ("REELGATE__HTTP__CORS_ORIGINS", origins),
            ("REELGATE__HTTP__LISTEN", "0.0.0.0:80"),
            ("REELGATE__HTTP__TRUSTED_PROXIES", "10.0.0.0/8"),
        ])
        .unwrap();
        assert_eq!(config.http.cors_origins, ["https://a.example", "https://b.example"]);
        assert_eq!(config.http.listen.port(), 80);
        assert_eq!(config.http.trusted_proxies, ["10.0.0.0/8"]);
    }

    #[test]
    fn unknown_keys_and_senseless_values_are_refused() {
        for (key, value) in [
            ("REELGATE__HTTP__PORT", "1"),
            ("REELGATE__HTTP__HEADER_TIMEOUT_MS", "0"),
            ("REELGATE__HTTP__IDLE_TIMEOUT_MS", "0"),
            ("REELGATE__HTTP__TLS_RELOAD_MS", "0"),
            ("REELGATE__HTTP__TLS_CERT", "/cert.pem"),
            ("REELGATE__HTTP__TLS_KEY", "/key.pem"),
            ("REELGATE__HTTP__OPS_LISTEN", "127.0.0.1:8080"),
            ("REELGATE__HTTP__TRUSTED_PROXIES", "10.0.0.0/33"),
            ("REELGATE__MAINTENANCE__UPLOAD_SILENCE_MS", "20000"),
        ] {
            assert!(from_environment(&[(key, value)]).is_err(), "{key}");
        }
    }

    #[test]
    fn only_named_proxies_are_believed() {
        let trusted = |list: &[&str], peer: &str| {
            let trusted_proxies = list.iter().map(|text| (*text).to_owned()).collect();
            HttpConfig { trusted_proxies, ..HttpConfig::default() }.trusts(peer.parse().unwrap())
        };
        assert!(!trusted(&[], "127.0.0.1"));
        assert!(trusted(&["10.0.0.0/8"], "10.1.2.3"));
        assert!(trusted(&["10.0.0.0/8"], "::ffff:10.1.2.3"));
        assert!(!trusted(&["10.0.0.0/8"], "11.1.2.3"));
        assert!(trusted(&["0.0.0.0/0"], "11.1.2.3"));
        assert!(trusted(&["fd00::/8"], "fd12::1"));
        assert!(!trusted(&["fd00::1"], "fd00::2"));
    }
}
