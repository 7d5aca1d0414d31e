//! Tasks that are asked one thing: for one output, or to decode files that lie in their folder.

use std::{fs::File, path::Path};

use super::Work;
use crate::{
    halt::Halt,
    task::{
        limits::Limits,
        parent::Order,
        protocol::{Event, Output, Request},
    },
};

impl Work {
    /// For a task whose files all lie in its folder.
    pub(super) fn no_source() -> Result<File, Halt> {
        File::open("/dev/null").map_err(|error| Halt::disk(&error))
    }

    /// The one output that a task makes.
    ///
    /// # Errors
    /// It cannot be run, says why it cannot, or makes none.
    pub(super) async fn output_of(&self, order: Order<'_>) -> Result<Output, Halt> {
        let mut task = self.tasks.start(order, &self.children).await.map_err(|error| Halt::disk(&error))?;
        let mut made = None;
        while let Some(event) = task.next().await? {
            if let Event::Output(output) = event {
                made = Some(output);
            }
        }
        made.ok_or_else(|| Halt::failed("output_missing", "The task ended without an output.", true))
    }

    /// Has `files` in `folder` decoded, each by itself; gives the names of those that decode whole, with the digests of their packets.
    ///
    /// # Errors
    /// The task cannot be run.
    pub(super) async fn decoded(&self, folder: &Path, files: Vec<String>) -> Result<Vec<(String, Vec<String>)>, Halt> {
        let request = Request::Look { excerpts: files };
        let wall = self.encode_limits(0).wall;
        let limits = Limits { wall, no_progress: wall, ..self.probe_limits() };
        let (source, scratch) = (Self::no_source()?, self.scratch.clone());
        let order = Order { request: &request, source, folder, scratch, limits, progress: None };
        let mut task = self.tasks.start(order, &self.children).await.map_err(|error| Halt::disk(&error))?;
        let mut decoded = Vec::new();
        while let Some(event) = task.next().await? {
            if let Event::Looked { excerpt, proven } = event {
                decoded.push((excerpt, proven));
            }
        }
        Ok(decoded)
    }
}
