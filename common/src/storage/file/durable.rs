//! Names that survive a power cut: folders are synced after what they name. Knows no keys.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Bounds the memory for remembering which folders are durable; forgetting one only costs a sync.
const MAX_SETTLED: usize = 65_536;

/// How often a folder may vanish (removed as empty by another's delete) between being made and being used.
const MAX_VANISHED: usize = 100;

/// A folder that another has made, and yet another removed before anybody looked, "exists" and is not there.
fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !folder.exists() => {
            Err(io::ErrorKind::NotFound.into())
        }
        made => made,
    }
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The folders below a root.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
    /// Inodes of folders whose own name is known to be durable.
    settled: Mutex<HashSet<u64>>,
}

impl Folders {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, settled: Mutex::default() }
    }

    /// Does something that needs the folder of `path`, which is made when missing. Another's delete may remove it as
    /// empty in between, in this process or in another; then it is made again.
    pub(super) fn within<T>(&self, path: &Path, mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let folder = path.parent().unwrap_or(&self.root);
        let mut vanished = 0;
        loop {
            match make(folder).and_then(|()| work()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && vanished < MAX_VANISHED => vanished += 1,
                done => return done,
            }
        }
    }

    /// Makes the name `path` durable: its folder is synced, and every folder above whose name may not be durable yet
    /// (also one that another process has just made).
    pub(super) fn settle(&self, path: &Path) -> io::Result<()> {
        for (depth, folder) in self.above(path).enumerate() {
            if depth > 0 && self.is_settled(folder.0) {
                continue;
            }
            sync_folder(folder.1)?;
            self.remember(folder.0);
        }
        Ok(())
    }

    /// Removes the folders above `path`, up to `top`, that have become empty. Returns the innermost that stays.
    /// A folder is removed only while it is empty, so a concurrent put loses nothing: `within` makes it again.
    pub(super) fn prune<'a>(&self, path: &'a Path, top: &'a Path) -> &'a Path {
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != top) {
            self.forget(folder);
            match fs::remove_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return folder,
                _ => {}
            }
        }
        top
    }

    /// Pairs (named folder, folder that holds its name), from the innermost up to the root.
    fn above<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Path)> {
        let names = path.ancestors().take_while(|name| *name != self.root);
        names.filter_map(|name| name.parent().map(|folder| (name, folder)))
    }

    fn is_settled(&self, folder: &Path) -> bool {
        fs::metadata(folder)
            .is_ok_and(|found| self.settled.lock().unwrap_or_else(PoisonError::into_inner).contains(&found.ino()))
    }

    /// Before a folder goes: its inode may come back as another folder.
    fn forget(&self, folder: &Path) {
        if let Ok(found) = fs::metadata(folder) {
            self.settled.lock().unwrap_or_else(PoisonError::into_inner).remove(&found.ino());
        }
    }

    fn remember(&self, folder: &Path) {
        let Ok(found) = fs::metadata(folder) else { return };
        if !found.is_dir() {
            return;
        }
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.len() >= MAX_SETTLED {
            settled.clear();
        }
        settled.insert(found.ino());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pruning_stops_at_the_first_folder_in_use_and_at_the_root() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::new(root.path().to_owned());
        let (kept, gone) = (root.path().join("a/b/kept"), root.path().join("a/c/d/gone"));
        for path in [&kept, &gone] {
            folders.within(path, || fs::write(path, "x")).unwrap();
            folders.settle(path).unwrap();
        }
        fs::remove_file(&gone).unwrap();
        assert_eq!(folders.prune(&gone, root.path()), root.path().join("a"));
        assert!(kept.exists() && !root.path().join("a/c").exists());
        fs::remove_file(&kept).unwrap();
        assert_eq!(folders.prune(&kept, root.path()), root.path());
        assert!(root.path().exists() && !root.path().join("a").exists());
    }

    #[test]
    fn a_folder_that_vanishes_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::new(root.path().to_owned());
        let path = root.path().join("a/b/object");
        let mut times = 0;
        let made = folders.within(&path, || {
            times += 1;
            if times < 3 {
                fs::remove_dir(root.path().join("a/b"))?;
            }
            fs::write(&path, "x")
        });
        assert!(made.is_ok() && times == 3);
    }
}
