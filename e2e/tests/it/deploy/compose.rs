//! `docker-compose.yml` as far as the tests need it: read, its variables filled in, its hosts and folders replaced by those of
//! a test. Starts nothing.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Compose {
    pub(super) services: BTreeMap<String, Service>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Service {
    pub(super) build: Option<Build>,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    pub(super) healthcheck: Option<HealthCheck>,
    #[serde(default)]
    pub(super) depends_on: BTreeMap<String, Dependency>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Build {
    pub(super) dockerfile: String,
    pub(super) target: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct HealthCheck {
    pub(super) test: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dependency {
    pub(super) condition: String,
}

/// A file of the source tree.
pub(super) fn read(path: &str) -> Result<String> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

impl Compose {
    /// Reads the file with the variables that `deploy/env.example` names, and no others.
    pub(super) fn load(variables: &BTreeMap<&str, String>) -> Result<Self> {
        let mut document: serde_yaml_ng::Value =
            serde_yaml_ng::from_str(&interpolated(&read("docker-compose.yml")?, variables)?)?;
        document.apply_merge()?;
        Ok(serde_yaml_ng::from_value(document)?)
    }

    pub(super) fn service(&self, name: &str) -> Result<&Service> {
        self.services.get(name).with_context(|| format!("there is no service {name}"))
    }
}

/// The lines `NAME=` of `deploy/env.example`.
pub(super) fn variable_names(example: &str) -> Vec<&str> {
    example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once('=')?.0)).collect()
}

/// Replaces each `${NAME:?why}`.
fn interpolated(text: &str, variables: &BTreeMap<&str, String>) -> Result<String> {
    let mut parts = text.split("${");
    let mut done = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').context("a variable does not end")?;
        let name = variable.split(':').next().unwrap_or_default();
        done += variables.get(name).with_context(|| format!("deploy/env.example does not name {name}"))?;
        done += rest;
    }
    Ok(done)
}

impl Service {
    /// The same with every `from` replaced by its `to`, wherever it stands.
    pub(super) fn mapped(&self, places: &[(&str, String)]) -> Self {
        let map = |text: &String| places.iter().fold(text.clone(), |text, (from, to)| text.replace(from, to));
        Self {
            command: self.command.iter().map(map).collect(),
            environment: self.environment.iter().map(|(key, value)| (key.clone(), map(value))).collect(),
            healthcheck: self
                .healthcheck
                .as_ref()
                .map(|check| HealthCheck { test: check.test.iter().map(map).collect() }),
            ..self.clone()
        }
    }
}
