//! The data folder of the embedded footing: its layout, its lock, and the secrets made on first start.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use reelgate_common::config::Secret;

use crate::{cli, settings::Settings};

/// Length of a secret before it is written as base64; HS256 wants at least as much as its hash gives.
const SECRET_BYTES: usize = 32;
const TOKENS_KEYS: &str = "tokens.keys";
const AUTH_SECRET: &str = "auth.secret";
const DATABASE: &str = "reelgate.db";

#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// Held by the one server of a folder; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    _file: File,
}

impl DataDir {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Makes the folder if need be and takes it for this process.
    ///
    /// # Errors
    /// Another server holds it, or it cannot be made.
    pub(crate) fn lock(&self) -> anyhow::Result<DataDirLock> {
        self.create()?;
        let path = self.path.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(DataDirLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                anyhow::bail!(
                    "another server is running on {}; stop it or give another --data-dir",
                    self.path.display()
                )
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// The folder a command is about: the one that was given, or the default one of somebody who runs `reelgate all` without
    /// flags. `None`: the configured backends are meant.
    ///
    /// # Errors
    /// There is no such folder.
    pub(crate) fn meant(given: Option<&Path>, settings: &Settings) -> anyhow::Result<Option<Self>> {
        let default = Path::new(cli::DEFAULT_DATA_DIR);
        let embedded = settings.database.url == Settings::default().database.url && default.is_dir();
        let Some(path) = given.or(embedded.then_some(default)) else { return Ok(None) };
        anyhow::ensure!(path.is_dir(), "{} is no folder; `reelgate all` makes it at its first start", path.display());
        Ok(Some(Self::at(path)))
    }

    /// Points the three backends into this folder. A setting that names another kind is refused rather than ignored.
    ///
    /// # Errors
    /// A sentence that names the key to change.
    pub(crate) fn fill_backends(&self, settings: &mut Settings) -> anyhow::Result<()> {
        let defaults = Settings::default();
        if settings.database.url == defaults.database.url {
            settings.database.url = Secret::new(format!("sqlite:{}", self.path.join(DATABASE).display()));
        }
        if settings.storage.url == defaults.storage.url {
            settings.storage.url = format!("file:{}", self.path.join("objects").display());
        }
        if settings.worker.scratch_dir == defaults.worker.scratch_dir {
            settings.worker.scratch_dir = self.path.join("scratch");
        }
        let embedded = [
            ("database.url", settings.database.url.expose().starts_with("sqlite:"), "sqlite:"),
            ("queue.url", settings.queue.url.expose().starts_with("memory:"), "memory:"),
            ("storage.url", settings.storage.url.starts_with("file:"), "file:"),
        ];
        match embedded.into_iter().find(|(_, fits, _)| !fits) {
            None => Ok(()),
            Some((key, _, kind)) => anyhow::bail!(
                "{key} names a service, but the embedded footing uses {kind} only: unset it, or start `reelgate gateway` \
                 and `reelgate worker`"
            ),
        }
    }

    /// Fills in the secrets that are not configured, making them if this is the first start.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn fill_secrets(&self, settings: &mut Settings) -> anyhow::Result<()> {
        if settings.auth.secret.is_empty() && settings.auth.jwks.is_none() {
            settings.auth.secret = Secret::new(self.secret(AUTH_SECRET, "")?);
        }
        if settings.tokens.keys.is_empty() {
            settings.tokens.keys = Secret::new(self.secret(TOKENS_KEYS, "k1:")?);
        }
        Ok(())
    }

    /// Fills in the secrets that lie in the folder and are not configured; makes none.
    ///
    /// # Errors
    /// One cannot be read.
    pub(crate) fn found_secrets(&self, settings: &mut Settings) -> anyhow::Result<()> {
        for (name, into) in [(AUTH_SECRET, &mut settings.auth.secret), (TOKENS_KEYS, &mut settings.tokens.keys)] {
            if into.is_empty() && self.path.join(name).exists() {
                *into = Secret::new(self.secret(name, "")?);
            }
        }
        Ok(())
    }

    /// Lays the secrets of another deployment into the folder, where none are configured or lie there. What was laid there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn adopt_secrets(&self, from: &Settings, into: &mut Settings) -> anyhow::Result<Vec<&'static str>> {
        let mut adopted = Vec::new();
        let secrets = [
            (AUTH_SECRET, &from.auth.secret, &mut into.auth.secret),
            (TOKENS_KEYS, &from.tokens.keys, &mut into.tokens.keys),
        ];
        for (name, theirs, ours) in
            secrets.into_iter().filter(|(_, theirs, ours)| !theirs.is_empty() && ours.is_empty())
        {
            let path = self.path.join(name);
            write_once(&path, theirs.expose().as_bytes())
                .with_context(|| format!("cannot write the secret {}", path.display()))?;
            ours.clone_from(theirs);
            adopted.push(name);
        }
        Ok(adopted)
    }

    /// The folder, if somebody has ever served it.
    ///
    /// # Errors
    /// Nobody has.
    pub(crate) fn served(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(path.join(DATABASE).is_file(), "{} is no data folder: it has no {DATABASE}", path.display());
        Ok(Self::at(path))
    }

    /// The file of the keys of stream tokens, which is there once a server was started.
    pub(crate) fn tokens_keys(&self) -> PathBuf {
        self.path.join(TOKENS_KEYS)
    }

    /// Reads a secret, or makes it. Two processes that make it at once end up with the same one: the name is linked to a
    /// finished file, and the second link fails.
    fn secret(&self, name: &str, prefix: &str) -> anyhow::Result<String> {
        self.create()?;
        let path = self.path.join(name);
        if !path.exists() {
            let text = format!("{prefix}{}", STANDARD.encode(rand::random::<[u8; SECRET_BYTES]>()));
            write_once(&path, text.as_bytes()).with_context(|| format!("cannot make the secret {}", path.display()))?;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    fn create(&self) -> anyhow::Result<()> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.with_context(|| format!("cannot make the data folder {}", self.path.display()))
    }
}

fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("{:016x}", rand::random::<u64>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_server_on_the_same_folder_is_refused_until_the_first_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::at(folder.path().join("data"));
        let first = dir.lock().unwrap();
        assert!(dir.lock().unwrap_err().to_string().contains("another server"));
        drop(first);
        dir.lock().unwrap();
    }

    #[test]
    fn secrets_are_made_once_and_only_the_owner_can_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::at(folder.path());
        let (mut first, mut second) = (Settings::default(), Settings::default());
        dir.fill_secrets(&mut first).unwrap();
        dir.fill_secrets(&mut second).unwrap();
        assert_eq!(first.auth.secret.expose(), second.auth.secret.expose());
        assert_eq!(first.tokens.keys.expose(), second.tokens.keys.expose());
        assert!(first.auth.secret.expose().len() >= SECRET_BYTES);
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 2, "no draft is left");
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_configured_secret_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.auth.secret = Secret::new("of the operator");
        settings.tokens.keys = Secret::new("k9:abc");
        DataDir::at(folder.path()).fill_secrets(&mut settings).unwrap();
        assert_eq!(settings.auth.secret.expose(), "of the operator");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_configured_service_is_refused_not_ignored() {
        let mut settings = Settings::default();
        settings.database.url = Secret::new("postgres://db/reelgate");
        let error = DataDir::at("data").fill_backends(&mut settings).unwrap_err();
        assert!(error.to_string().starts_with("database.url"), "{error}");
        let mut settings = Settings::default();
        DataDir::at("data").fill_backends(&mut settings).unwrap();
        assert_eq!(settings.database.url.expose(), "sqlite:data/reelgate.db");
        assert_eq!(settings.storage.url, "file:data/objects");
        assert_eq!(settings.worker.scratch_dir, Path::new("data/scratch"));
    }
}
