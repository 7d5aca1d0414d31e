//! A file that nobody may read and a port that nobody may connect to, both watched.

use std::{fs, io::Write, net::TcpListener, os::fd::OwnedFd, path::PathBuf};

use anyhow::{Result, bail, ensure};
use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use tempfile::NamedTempFile;

pub(super) struct Watched {
    canary: NamedTempFile,
    opened: OwnedFd,
    listener: TcpListener,
}

impl Watched {
    pub(super) fn new() -> Result<Self> {
        let mut canary = NamedTempFile::with_suffix(".ts")?;
        canary.write_all(b"nobody may read this")?;
        let opened = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        inotify::add_watch(&opened, canary.path(), WatchFlags::OPEN | WatchFlags::ACCESS)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { canary, opened, listener })
    }

    pub(super) fn canary(&self) -> PathBuf {
        self.canary.path().to_owned()
    }

    /// `127.0.0.1:12345`.
    pub(super) fn address(&self) -> Result<String> {
        Ok(self.listener.local_addr()?.to_string())
    }

    /// Nobody has read and nobody has connected; and somebody who does is seen.
    pub(super) fn was_left_alone(&self) -> Result<()> {
        ensure!(!self.was_opened()?, "the canary was read");
        ensure!(!self.was_called()?, "somebody has connected");
        fs::read(self.canary.path())?;
        ensure!(self.was_opened()?, "the canary is not watched");
        std::net::TcpStream::connect(self.listener.local_addr()?)?;
        ensure!(self.was_called()?, "the port is not watched");
        Ok(())
    }

    fn was_opened(&self) -> Result<bool> {
        match rustix::io::read(&self.opened, &mut [0; 4096]) {
            Ok(read) => Ok(read > 0),
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => bail!(error),
        }
    }

    fn was_called(&self) -> Result<bool> {
        match self.listener.accept() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => bail!(error),
        }
    }
}
