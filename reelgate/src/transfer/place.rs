//! A deployment that a move begins or ends at: its settings, its data folder if it has one, and the lock on that.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use reelgate_common::{
    backends::{open_storage, open_storage_with},
    config::RawConfig,
    db::Db,
    storage::SharedStorage,
    telemetry::init_logging,
    transfer::{Live, Target},
};

use super::environment;
use crate::{
    data_dir::{DataDir, DataDirLock},
    parts,
    settings::Settings,
};

pub(super) struct Place {
    pub(super) settings: Settings,
    pub(super) dir: Option<DataDir>,
    lock: Option<DataDirLock>,
    /// Where the credentials of its store are looked up; `None`: in the process's.
    environment: Option<Vec<(String, String)>>,
}

impl Place {
    /// The deployment that other commands would mean.
    ///
    /// # Errors
    /// A server runs on its data folder, or the settings cannot be used.
    pub(super) fn configured(data_dir: Option<&Path>, config: Option<&Path>) -> anyhow::Result<Self> {
        let mut settings = Settings::load(&RawConfig::load(config)?)?;
        init_logging(&settings.log)?;
        let dir = DataDir::meant(data_dir, &settings)?;
        let lock = dir.as_ref().map(DataDir::lock).transpose()?;
        if let Some(dir) = &dir {
            dir.fill_backends(&mut settings)?;
            dir.found_secrets(&mut settings)?;
        }
        Ok(Self { settings, dir, lock, environment: None })
    }

    /// The deployment that is to be filled. A data folder is made and migrated, as at its first start; another database must have been
    /// migrated.
    ///
    /// # Errors
    /// As `configured`; or no deployment is named.
    pub(super) async fn new_home(data_dir: Option<&Path>, config: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = data_dir {
            std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        let place = Self::configured(data_dir, config)?;
        let is_embedded = place.settings.database.url.expose().starts_with("sqlite:");
        anyhow::ensure!(
            place.dir.is_some() || !is_embedded,
            "name where to: --data-dir DIR, or set database.url and storage.url"
        );
        if place.dir.is_some() {
            let db = place.database().await?;
            parts::migrate_database(&db).await?;
            db.close().await;
        }
        Ok(place)
    }

    /// Another deployment than this process's, named by files and folders alone. With `still` nobody may serve its folder meanwhile.
    ///
    /// # Errors
    /// A file cannot be read, or a server runs on its data folder.
    pub(super) fn other(files: &[PathBuf], data_dir: Option<&Path>, still: bool) -> anyhow::Result<Self> {
        let is_config = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "toml");
        let (configs, environments): (Vec<_>, Vec<_>) = files.iter().partition(is_config);
        anyhow::ensure!(configs.len() < 2, "--from may name one .toml");
        let mut environment = HashMap::new();
        for path in environments {
            environment.extend(environment::read(path)?);
        }
        let raw = RawConfig::load_with(configs.first().map(|path| path.as_path()), environment.clone())?;
        let mut settings = Settings::load(&raw)?;
        let dir = data_dir.map(DataDir::served).transpose()?;
        let lock = dir.as_ref().filter(|_| still).map(DataDir::lock).transpose()?;
        if let Some(dir) = &dir {
            dir.fill_backends(&mut settings)?;
            dir.found_secrets(&mut settings)?;
        }
        anyhow::ensure!(
            dir.is_some() || settings.database.url != Settings::default().database.url,
            "--from names no database.url (REELGATE__DATABASE__URL)"
        );
        let has_credentials = environment.keys().any(|name| name.starts_with("AWS_"));
        let environment = has_credentials.then(|| environment.into_iter().collect());
        Ok(Self { settings, dir, lock, environment })
    }

    pub(super) async fn live(&self) -> anyhow::Result<Live> {
        let (db, storage) = (self.database().await?, self.storage()?);
        Ok(Live::open(db, storage, self.silent(), self.lock.is_some()).await?)
    }

    pub(super) async fn target(&self) -> anyhow::Result<Target> {
        let (db, storage) = (self.database().await?, self.storage()?);
        Ok(Target::open(db, storage, self.silent(), self.lock.is_some()).await?)
    }

    async fn database(&self) -> anyhow::Result<Db> {
        Db::connect(&self.settings.database).await.context("cannot open the database")
    }

    fn storage(&self) -> anyhow::Result<SharedStorage> {
        let opened = match &self.environment {
            Some(environment) => open_storage_with(&self.settings.storage, environment.iter().cloned()),
            None => open_storage(&self.settings.storage),
        };
        opened.context("cannot open the store")
    }

    /// As long as the reconciler takes a generation for watched.
    fn silent(&self) -> Duration {
        let leases = &self.settings.leases;
        leases.idle() + leases.touch() * 2
    }
}
