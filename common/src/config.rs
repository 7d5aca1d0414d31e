//! Reads `reelgate.toml`, then `REELGATE__SECTION__KEY` from the environment. Each module owns and checks its section;
//! this file knows only their names, so that a misspelt one is refused.

mod list;
mod secret;

use std::path::Path;

pub use list::list;
pub use secret::Secret;
use serde::de::DeserializeOwned;

/// Every section there is, with the module that owns it.
pub const SECTIONS: &[&str] = &[
    "auth",        // common::auth
    "cache",       // gateway
    "database",    // common::db
    "earned",      // common::earned
    "events",      // gateway
    "http",        // gateway
    "jobs",        // common::job
    "ladder",      // worker::plan
    "lanes",       // common::lane
    "leases",      // common::lease
    "log",         // common::telemetry
    "maintenance", // gateway
    "profiling",   // common::profiles
    "quality",     // worker::plan::quality
    "queue",       // common::queue
    "quota",       // gateway
    "resumable",   // gateway
    "split",       // worker::plan::split
    "storage",     // common::storage
    "thumbnails",  // gateway
    "tokens",      // common::tokens
    "traces",      // common::traces
    "trash",       // gateway
    "upload",      // gateway
    "webhooks",    // gateway
    "worker",      // worker
];

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration: {0}")]
    Read(#[from] ::config::ConfigError),
    #[error("unknown section [{0}]; known are: {known}", known = SECTIONS.join(", "))]
    UnknownSection(String),
    #[error("section [{section}]: {message}")]
    Invalid { section: &'static str, message: String },
}

/// The raw configuration, section by section.
#[derive(Debug, Clone)]
pub struct RawConfig {
    values: ::config::Config,
}

impl RawConfig {
    /// Reads the file (if any) and the process's environment.
    ///
    /// # Errors
    /// The file cannot be read, or a section is unknown.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::build(file, None)
    }

    /// As `load`, with an environment given by the caller (tests, `reelgate check` of another service).
    ///
    /// # Errors
    /// As `load`.
    pub fn load_with(
        file: Option<&Path>,
        environment: std::collections::HashMap<String, String>,
    ) -> Result<Self, ConfigError> {
        Self::build(file, Some(environment))
    }

    fn build(
        file: Option<&Path>,
        environment: Option<std::collections::HashMap<String, String>>,
    ) -> Result<Self, ConfigError> {
        let mut builder = ::config::Config::builder();
        if let Some(path) = file {
            builder = builder.add_source(::config::File::from(path).format(::config::FileFormat::Toml));
        }
        let source = ::config::Environment::with_prefix("REELGATE")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .source(environment);
        let values = builder.add_source(source).build()?;
        let raw = Self { values };
        raw.refuse_unknown_sections()?;
        Ok(raw)
    }

    fn refuse_unknown_sections(&self) -> Result<(), ConfigError> {
        let table = self.values.clone().try_deserialize::<serde_json::Map<String, serde_json::Value>>()?;
        match table.keys().find(|name| !SECTIONS.contains(&name.as_str())) {
            Some(name) => Err(ConfigError::UnknownSection(name.clone())),
            None => Ok(()),
        }
    }

    /// One section, its defaults filled in, not yet validated.
    ///
    /// # Errors
    /// A key is unknown or of the wrong type.
    pub fn section<T: DeserializeOwned + Default>(&self, name: &'static str) -> Result<T, ConfigError> {
        debug_assert!(SECTIONS.contains(&name));
        match self.values.get::<T>(name) {
            Ok(section) => Ok(section),
            Err(::config::ConfigError::NotFound(_)) => Ok(T::default()),
            Err(error) => Err(ConfigError::Invalid { section: name, message: error.to_string() }),
        }
    }
}
