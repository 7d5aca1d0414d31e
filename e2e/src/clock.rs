//! A clock that can be set while processes look at it: whoever is started with its environment sees the time of day that it
//! says. Monotonic clocks and the times of files stay true, as they do when an administrator sets a clock.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use anyhow::Result;

use crate::{
    preload::{self, library},
    process::Folder,
};

#[derive(Debug)]
pub struct Clock {
    folder: Folder,
    library: PathBuf,
}

impl Clock {
    /// A clock that goes right.
    ///
    /// # Errors
    /// It cannot be written, or there is no C compiler.
    pub fn new() -> Result<Self> {
        let folder = Folder::new("clock")?;
        let clock = Self { library: library(preload::CLOCK, folder.path())?, folder };
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
        vec![("LD_PRELOAD".to_owned(), library), ("CLOCK_AHEAD".to_owned(), self.folder.join("ahead"))]
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::*;

    fn date(clock: &Clock) -> Result<i64> {
        let output = Command::new("date").arg("+%s").envs(clock.environment()).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }

    #[test]
    fn a_process_sees_the_clock_as_it_was_set() -> Result<()> {
        let clock = Clock::new()?;
        for hours in [0, 5, -5] {
            clock.set(hours * 3_600)?;
            let here = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
            assert_eq!((date(&clock)? - here + 1_800).div_euclid(3_600), hours);
        }
        Ok(())
    }
}
