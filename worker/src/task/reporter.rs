//! The child's voice: one JSON `Event` per line on standard output, from any thread.

use std::{
    io::{self, Write},
    sync::Mutex,
};

use super::protocol::Event;

/// Writes events whole, so that lines of two threads never mix.
pub(crate) struct Reporter {
    out: Mutex<Box<dyn Write + Send>>,
}

impl Reporter {
    pub(crate) fn to_stdout() -> Self {
        Self { out: Mutex::new(Box::new(io::stdout())) }
    }

    /// Tells the parent. An error means that the parent is gone.
    pub(crate) fn send(&self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let mut out = self.out.lock().map_err(|_| io::Error::other("a thread died while reporting"))?;
        out.write_all(&line)?;
        out.flush()
    }
}
