//! Every section of the configuration, loaded and checked at once, so that a misspelt key stops a start and not a request.

use reelgate_common::{
    auth::config::AuthConfig,
    config::{ConfigError, RawConfig},
    db::config::DatabaseConfig,
    earned::EarnedPolicy,
    job::JobPolicy,
    lane::LanePolicy,
    lease::LeasesConfig,
    profiles::ProfilingConfig,
    queue::config::QueueConfig,
    storage::config::StorageConfig,
    telemetry::LogConfig,
    tokens::config::TokensConfig,
    traces::TracesConfig,
};
use reelgate_gateway::{
    GatewayConfig,
    cache::config::CacheConfig,
    config::HttpConfig,
    events::config::EventsConfig,
    maintenance::config::MaintenanceConfig,
    thumbnail::config::ThumbnailsConfig,
    trash::config::TrashConfig,
    upload::{
        config::UploadConfig,
        tus::config::{QuotaConfig, ResumableConfig},
    },
    webhooks::config::WebhooksConfig,
};
use reelgate_worker::{
    config::{WorkerConfig, WorkerSection},
    plan::{LadderPolicy, QualityPolicy, split::SplitPolicy},
};
use serde::Serialize;

/// The whole configuration. Serialises with secrets as `***`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Settings {
    pub(crate) auth: AuthConfig,
    pub(crate) database: DatabaseConfig,
    pub(crate) http: HttpConfig,
    pub(crate) jobs: JobPolicy,
    pub(crate) ladder: LadderPolicy,
    pub(crate) profiling: ProfilingConfig,
    pub(crate) quality: QualityPolicy,
    pub(crate) split: SplitPolicy,
    pub(crate) lanes: LanePolicy,
    pub(crate) earned: EarnedPolicy,
    pub(crate) leases: LeasesConfig,
    pub(crate) log: LogConfig,
    pub(crate) maintenance: MaintenanceConfig,
    pub(crate) queue: QueueConfig,
    pub(crate) quota: QuotaConfig,
    pub(crate) resumable: ResumableConfig,
    pub(crate) storage: StorageConfig,
    pub(crate) thumbnails: ThumbnailsConfig,
    pub(crate) tokens: TokensConfig,
    pub(crate) traces: TracesConfig,
    pub(crate) trash: TrashConfig,
    pub(crate) cache: CacheConfig,
    pub(crate) events: EventsConfig,
    pub(crate) upload: UploadConfig,
    pub(crate) webhooks: WebhooksConfig,
    pub(crate) worker: WorkerSection,
}

impl Settings {
    /// # Errors
    /// A key is unknown, of the wrong type, or has a value that cannot work.
    pub(crate) fn load(raw: &RawConfig) -> Result<Self, ConfigError> {
        let settings = Self {
            auth: raw.section("auth")?,
            database: raw.section("database")?,
            http: raw.section("http")?,
            jobs: raw.section("jobs")?,
            ladder: raw.section("ladder")?,
            profiling: raw.section("profiling")?,
            quality: raw.section("quality")?,
            split: raw.section("split")?,
            lanes: raw.section("lanes")?,
            earned: raw.section("earned")?,
            leases: raw.section("leases")?,
            log: raw.section("log")?,
            maintenance: raw.section("maintenance")?,
            queue: raw.section("queue")?,
            quota: raw.section("quota")?,
            resumable: raw.section("resumable")?,
            storage: raw.section("storage")?,
            thumbnails: raw.section("thumbnails")?,
            tokens: raw.section("tokens")?,
            traces: raw.section("traces")?,
            trash: raw.section("trash")?,
            cache: raw.section("cache")?,
            events: raw.section("events")?,
            upload: raw.section("upload")?,
            webhooks: raw.section("webhooks")?,
            worker: raw.section("worker")?,
        };
        settings.gateway_config().validate()?;
        settings.worker_config().validate()?;
        Ok(settings)
    }

    pub(crate) fn gateway_config(&self) -> GatewayConfig {
        GatewayConfig {
            http: self.http.clone(),
            cache: self.cache.clone(),
            events: self.events.clone(),
            thumbnails: self.thumbnails.clone(),
            traces: self.traces.clone(),
            trash: self.trash.clone(),
            earned: self.earned.clone(),
            upload: self.upload.clone(),
            quota: self.quota.clone(),
            resumable: self.resumable.clone(),
            maintenance: self.maintenance.clone(),
            auth: self.auth.clone(),
            tokens: self.tokens.clone(),
            jobs: self.jobs,
            profiling: self.profiling,
            leases: self.leases.clone(),
            webhooks: self.webhooks.clone(),
        }
    }

    pub(crate) fn worker_config(&self) -> WorkerConfig {
        WorkerConfig {
            worker: self.worker.clone(),
            ladder: self.ladder.clone(),
            quality: self.quality.clone(),
            split: self.split.clone(),
            earned: self.earned.clone(),
            jobs: self.jobs,
            profiling: self.profiling,
            task_program: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use serde_json::Value;

    use super::*;

    const SAMPLE: &str = include_str!("../../reelgate.toml");

    /// The sample with its defaults (`#key`) in force, and with its examples (`##key`) too when wanted.
    fn uncommented(examples: bool) -> String {
        let line = |line: &str| match (line.strip_prefix("##"), line.strip_prefix('#')) {
            (Some(example), _) if examples => example.to_owned(),
            (Some(_), _) => String::new(),
            (None, Some(setting)) if !setting.starts_with(' ') => setting.to_owned(),
            _ => line.to_owned(),
        };
        SAMPLE.lines().map(|text| line(text) + "\n").collect()
    }

    fn load(text: &str) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reelgate.toml");
        std::fs::write(&path, text).unwrap();
        Settings::load(&RawConfig::load_with(Some(&path), HashMap::new())?)
    }

    #[test]
    fn the_sample_as_it_is_changes_nothing() {
        assert_eq!(load(SAMPLE).unwrap(), Settings::default());
    }

    #[test]
    fn the_sample_uncommented_equals_the_defaults() {
        assert_eq!(load(&uncommented(false)).unwrap(), Settings::default());
    }

    #[test]
    fn the_sample_names_every_key() {
        let Value::Object(sections) = serde_json::to_value(Settings::default()).unwrap() else { panic!() };
        let text = uncommented(true);
        load(&text).unwrap();
        for (section, keys) in sections {
            let body = text.split(&format!("[{section}]\n")).nth(1).unwrap_or_else(|| panic!("no [{section}]"));
            let body = body.split("\n[").next().unwrap();
            let named: BTreeSet<&str> =
                body.lines().filter_map(|line| line.split_once(" = ")).map(|pair| pair.0).collect();
            let Value::Object(keys) = keys else { panic!() };
            let known: BTreeSet<&str> = keys.keys().map(String::as_str).collect();
            assert_eq!(named, known, "[{section}]");
        }
    }

    #[test]
    fn unknown_keys_and_sections_are_refused() {
        for section in reelgate_common::config::SECTIONS {
            assert!(load(&format!("[{section}]\nno_such_key = 1\n")).is_err(), "{section}");
        }
        assert!(load("[metrics]\nport = 1\n").is_err());
    }
}
