//! A small disk of its own under a folder, which can be filled. Needs the right to mount.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

const BALLAST: &str = "ballast";

#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Nothing where mounting is not permitted.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn mount(path: &Path, mib: u32) -> Result<Option<Self>> {
        std::fs::create_dir_all(path)?;
        let size = format!("size={mib}m,mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "reelgate-chaos"]).arg(path).output()?;
        Ok(mounted.status.success().then(|| Self { path: path.to_owned() }))
    }

    /// Until nothing goes in any more.
    ///
    /// # Errors
    /// Not even the file can be made.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::create(self.path.join(BALLAST))?;
        let piece = vec![0; 1 << 16];
        while file.write_all(&piece).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
        Ok(())
    }

    /// Makes the room free again.
    ///
    /// # Errors
    /// It was not filled.
    pub fn relieve(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.path.join(BALLAST))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
