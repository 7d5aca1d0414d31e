//! Scratch: folders that live as long as their attempt. A worker's own folder is held by a lock file, so that the next
//! worker to start knows which folders belong to nobody, however their owners died.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use reelgate_common::{ids::ProcessId, job::Fence};

const LOCK: &str = "lock";

#[derive(Debug, thiserror::Error)]
#[error("cannot {what} in the scratch folder {path}")]
pub struct ScratchError {
    what: &'static str,
    path: PathBuf,
    #[source]
    pub(crate) source: io::Error,
}

/// Bytes that a worker could write into a folder.
///
/// # Errors
/// There is no such folder.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// This process's folder. Removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct ScratchRoot {
    path: PathBuf,
    _lock: File,
}

impl ScratchRoot {
    /// Removes what dead workers left, then makes this worker's folder.
    ///
    /// # Errors
    /// The folder cannot be made or locked.
    pub(crate) fn open(dir: &Path, process: &ProcessId) -> Result<Self, ScratchError> {
        let failed = |what| move |source| ScratchError { what, path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed("make the folder"))?;
        // Absolute, for a task has a working directory of its own.
        let dir = &dir.canonicalize().map_err(failed("find the folder"))?;
        // One start at a time: between making a folder and locking it, it looks as if it belonged to nobody.
        let door = lock_file(&dir.join(LOCK)).map_err(failed("open the lock"))?;
        door.lock().map_err(failed("take the lock"))?;
        remove_leftovers(dir).map_err(failed("remove leftovers"))?;
        let path = dir.join(process.as_str());
        fs::create_dir(&path).map_err(failed("make this worker's folder"))?;
        let lock = lock_file(&path.join(LOCK)).map_err(failed("make this worker's lock"))?;
        lock.lock().map_err(failed("take this worker's lock"))?;
        Ok(Self { path, _lock: lock })
    }

    /// A folder for one attempt.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub(crate) fn attempt(&self, fence: &Fence) -> Result<Arc<Scratch>, ScratchError> {
        self.named(&format!("{}-{}", fence.job_id, fence.attempt))
    }

    /// A folder for trying the sandbox.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub(crate) fn trial(&self) -> Result<Arc<Scratch>, ScratchError> {
        self.named("trial")
    }

    fn named(&self, name: &str) -> Result<Arc<Scratch>, ScratchError> {
        let path = self.path.join(name);
        let failed = |source| ScratchError { what: "make an attempt's folder", path: path.clone(), source };
        fs::create_dir(&path).map_err(failed)?;
        Ok(Arc::new(Scratch { path }))
    }
}

impl Drop for ScratchRoot {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// One attempt's folder. Whoever may still write into it holds a clone; with the last one it is removed.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder inside for one task.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, ScratchError> {
        let path = self.path.join(name);
        match fs::create_dir(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(ScratchError { what: "make a task's folder", path, source }),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "scratch is left until the next start");
        }
        _ => {}
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        // A folder without a lock is none of ours; somebody may have pointed `scratch_dir` at their home.
        if let Ok(lock) = OpenOptions::new().write(true).open(path.join(LOCK))
            && lock.try_lock().is_ok()
        {
            tracing::info!(path = %path.display(), "removing what a dead worker left");
            remove(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use reelgate_common::ids::{FileId, JobId};

    use super::*;

    fn fence() -> Fence {
        Fence { job_id: JobId::new(), file_id: FileId::new(), generation: 1, attempt: 1 }
    }

    #[test]
    fn an_attempt_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let root = ScratchRoot::open(dir.path(), &ProcessId::new("one")).unwrap();
        let scratch = root.attempt(&fence()).unwrap();
        let folder = scratch.folder("encode").unwrap();
        fs::write(folder.join("720p.mp4"), "x").unwrap();
        drop(scratch);
        assert!(!folder.exists());
        drop(root);
        assert!(!dir.path().join("one").exists());
    }

    #[test]
    fn only_the_dead_are_cleaned_up_after() {
        let dir = tempfile::tempdir().unwrap();
        let living = ScratchRoot::open(dir.path(), &ProcessId::new("living")).unwrap();
        let dead = dir.path().join("dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("source"), "x").unwrap();
        fs::create_dir(dir.path().join("foreign")).unwrap();
        let next = ScratchRoot::open(dir.path(), &ProcessId::new("next")).unwrap();
        assert!(!dead.exists());
        assert!(dir.path().join("foreign").exists());
        assert!(living.path.exists() && next.path.exists());
    }
}
