//! Every section of the configuration, loaded and checked at once, so that a misspelt key stops a start and not a request.

use reelgate_common::{
    auth::config::AuthConfig,
    config::{ConfigError, RawConfig},
    db::config::DatabaseConfig,
    job::JobPolicy,
    queue::config::QueueConfig,
    storage::config::StorageConfig,
    telemetry::LogConfig,
    tokens::config::TokensConfig,
};
use reelgate_gateway::{
    GatewayConfig, config::HttpConfig, maintenance::config::MaintenanceConfig, upload::config::UploadConfig,
};
use reelgate_worker::{
    config::{WorkerConfig, WorkerSection},
    plan::LadderPolicy,
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
    pub(crate) log: LogConfig,
    pub(crate) maintenance: MaintenanceConfig,
    pub(crate) queue: QueueConfig,
    pub(crate) storage: StorageConfig,
    pub(crate) tokens: TokensConfig,
    pub(crate) upload: UploadConfig,
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
            log: raw.section("log")?,
            maintenance: raw.section("maintenance")?,
            queue: raw.section("queue")?,
            storage: raw.section("storage")?,
            tokens: raw.section("tokens")?,
            upload: raw.section("upload")?,
            worker: raw.section("worker")?,
        };
        settings.gateway_config().validate()?;
        settings.worker_config().validate()?;
        Ok(settings)
    }

    pub(crate) fn gateway_config(&self) -> GatewayConfig {
        GatewayConfig {
            http: self.http.clone(),
            upload: self.upload.clone(),
            maintenance: self.maintenance.clone(),
            auth: self.auth.clone(),
            tokens: self.tokens.clone(),
            jobs: self.jobs,
        }
    }

    pub(crate) fn worker_config(&self) -> WorkerConfig {
        WorkerConfig { worker: self.worker.clone(), ladder: self.ladder.clone(), jobs: self.jobs, task_program: None }
    }
}
