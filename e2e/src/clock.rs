//! A clock that can be set while processes look at it: whoever is started with its environment sees the time of day that it
//! says (by libfaketime). Monotonic clocks and the times of files stay true, as they do when an administrator sets a clock.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use anyhow::{Context, Result};

use crate::process::Folder;

#[derive(Debug)]
pub struct Clock {
    folder: Folder,
    library: PathBuf,
}

impl Clock {
    /// A clock that goes right.
    ///
    /// # Errors
    /// It cannot be written, or libfaketime is not installed.
    pub fn new() -> Result<Self> {
        let library = library().context("libfaketime is missing: scripts/install-packages test")?;
        let clock = Self { folder: Folder::new("clock")?, library };
        // Postgres runs as a user of its own.
        fs::set_permissions(clock.folder.path(), Permissions::from_mode(0o755))?;
        clock.set(0)?;
        Ok(clock)
    }

    /// So many seconds ahead of the true time; negative: behind it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set(&self, ahead: i64) -> Result<()> {
        // Renamed, so that nobody reads half of it.
        let draft = self.folder.join("draft");
        fs::write(&draft, format!("{ahead:+}\n"))?;
        Ok(fs::rename(draft, self.folder.join("ahead"))?)
    }

    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let library = self.library.to_string_lossy().into_owned();
        let settings = [
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", self.folder.join("ahead")),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DISABLE_SHM", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        settings.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let mut found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).filter(|path| path.exists());
    found.next()
}
