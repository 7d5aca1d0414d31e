//! A record of what a process syncs, renames and sends, in order, to be held against what it has told others. A small library
//! that is preloaded writes it down, so nobody needs the right to trace another.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    preload::{self, library},
    process::Folder,
};

#[derive(Debug)]
pub struct Trace {
    folder: Folder,
    library: PathBuf,
}

impl Trace {
    /// Of nobody yet.
    ///
    /// # Errors
    /// There is no C compiler.
    pub fn new() -> Result<Self> {
        let folder = Folder::new("trace")?;
        Ok(Self { library: library(preload::RECORD, folder.path())?, folder })
    }

    /// What the process that is to be watched must be started with.
    #[must_use]
    pub fn environment(&self) -> [(String, String); 2] {
        let library = self.library.to_string_lossy().into_owned();
        [("LD_PRELOAD".to_owned(), library), ("RECORD_CALLS_TO".to_owned(), self.folder.join("calls"))]
    }

    /// The calls so far: a sync or a rename stands where it ended, what was sent where it began to be sent.
    ///
    /// # Errors
    /// Nothing was written down: the library was not loaded.
    pub fn calls(&self) -> Result<Vec<String>> {
        let record = fs::read(self.folder.join("calls")).context("nobody was watched")?;
        Ok(String::from_utf8_lossy(&record).lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use anyhow::ensure;

    use super::*;

    #[test]
    fn what_a_program_syncs_and_renames_stands_in_order() -> Result<()> {
        let trace = Trace::new()?;
        let (draft, done) = (trace.folder.join("draft"), trace.folder.join("done"));
        fs::write(&draft, "x")?;
        let script = "import os, sys; os.fsync(os.open(sys.argv[1], 0)); os.rename(sys.argv[1], sys.argv[2])";
        let status = Command::new("python3").args(["-c", script, &draft, &done]).envs(trace.environment()).status()?;
        ensure!(status.success(), "{status}");
        assert_eq!(trace.calls()?, [format!("fsync(<{draft}>)"), format!("rename(\"{draft}\", \"{done}\")")]);
        Ok(())
    }
}
