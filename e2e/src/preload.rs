//! Small C libraries that a process of a test is started with (`LD_PRELOAD`), to see or to bend what it asks its system for. That needs no
//! right but that of starting a process, and no package but the compiler that links Rust programs as well.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// What a process syncs, renames and sends, written to the file that `RECORD_CALLS_TO` names.
pub(crate) const RECORD: &str = include_str!("preload/record.c");
/// The time of day is as many seconds ahead as the file says that `CLOCK_AHEAD` names.
pub(crate) const CLOCK: &str = include_str!("preload/clock.c");
/// Names that end in `.example` lead where the file says that `NAMES_FROM` names.
pub(crate) const NAMES: &str = include_str!("preload/names.c");

/// Compiles one of them into a folder.
///
/// # Errors
/// There is no C compiler.
pub(crate) fn library(source: &str, folder: &Path) -> Result<PathBuf> {
    let (text, library) = (folder.join("preload.c"), folder.join("libpreload.so"));
    fs::write(&text, source)?;
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &text])
        .output()
        .context("cc is missing")?;
    ensure!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Ok(library)
}
