//! Looking at rungs while they are being made: a child decodes excerpts of them, so that less is left to prove when they are
//! finished. It vouches for packets, not for outputs: whatever it has not decoded, the proof of the finished output does. So
//! it never refuses anything, and nothing waits for it.

use std::{
    collections::HashMap,
    fs, mem,
    path::{Path, PathBuf},
};

use futures_util::future::{BoxFuture, FutureExt};

use super::{Work, output};
use crate::{config::Proof, halt::Halt, task::protocol::excerpt_file};

/// What of an output is proven, by its name.
type Found = (String, Vec<String>);

pub(super) struct Early<'a> {
    work: &'a Work,
    /// Where the excerpts are made.
    folder: PathBuf,
    /// Excerpts that nobody looks at so far, and their outputs' names.
    waiting: Vec<(String, String)>,
    looking: Option<BoxFuture<'a, Vec<Found>>>,
    /// How many looks there were.
    looks: u32,
    /// By the outputs' names.
    proven: HashMap<String, Vec<String>>,
}

impl<'a> Early<'a> {
    pub(super) fn new(work: &'a Work, folder: PathBuf) -> Self {
        Self { work, folder, waiting: Vec::new(), looking: None, looks: 0, proven: HashMap::new() }
    }

    /// A further excerpt of `name` is complete.
    pub(super) fn add(&mut self, name: &str, number: u32) {
        let file = excerpt_file(name, number);
        // What is decoded whole is decoded picture by picture, so that single ones spare nothing.
        if self.work.config.worker.proof == Proof::Whole {
            fs::remove_file(self.folder.join(file)).ok();
            return;
        }
        self.waiting.push((name.to_owned(), file));
    }

    /// Gets on with looking, and never ends but to be called again. May be dropped and called again at any time.
    pub(super) async fn look(&mut self) {
        if self.looking.is_none() {
            self.begin();
        }
        match &mut self.looking {
            Some(looking) => {
                let found = looking.await;
                self.looking = None;
                for (name, proven) in found {
                    self.proven.entry(name).or_default().extend(proven);
                }
            }
            None => std::future::pending().await,
        }
    }

    /// What is proven of an output, which is finished: nobody looks at its excerpts any more.
    pub(super) fn take(&mut self, name: &str) -> Vec<String> {
        self.waiting.retain(|(of, _)| of != name);
        self.proven.remove(name).unwrap_or_default()
    }

    /// No output is left to look at.
    pub(super) fn stop(&mut self) {
        self.waiting.clear();
        self.looking = None;
    }

    /// With all that waits, in one child.
    fn begin(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let (work, waiting, from) = (self.work, mem::take(&mut self.waiting), self.folder.clone());
        let made_in = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.looks += 1;
        let folder = format!("look-{made_in}-{}", self.looks);
        let looking = async move {
            look(work, &from, &folder, &waiting).await.unwrap_or_else(|halt| {
                tracing::debug!(?halt, "an early look failed; all is looked at later");
                Vec::new()
            })
        };
        self.looking = Some(looking.boxed());
    }
}

/// Gives what of each output is proven.
async fn look(work: &Work, from: &Path, folder: &str, excerpts: &[(String, String)]) -> Result<Vec<Found>, Halt> {
    let folder = work.scratch.folder(folder)?;
    let ours: Vec<String> =
        excerpts.iter().map(|(_, file)| file.clone()).filter(|file| moved(from, &folder, file)).collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let name = |file: &str| excerpts.iter().find(|(_, of)| of == file).map(|(name, _)| name.clone());
    let decoded = work.decoded(&folder, ours).await?;
    let found = decoded.into_iter().filter_map(|(file, proven)| Some((name(&file)?, proven))).collect();
    fs::remove_dir_all(&folder).ok();
    Ok(found)
}

/// Takes an excerpt to where whoever made it can do nothing to it but write into it.
fn moved(from: &Path, to: &Path, file: &str) -> bool {
    fs::rename(from.join(file), to.join(file)).is_ok() && output::open_plain(&to.join(file)).is_some()
}
