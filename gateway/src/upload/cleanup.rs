//! The armed guard of an upload: what is not completed is undone, also when the request's future is dropped.
//!
//! Drop cannot await, so it hands the work to a task. If that fails too, or the process dies, the row stays `uploading`,
//! nobody touches it any more, and the sweeper does the same work later.

use reelgate_common::{
    backends::Backends,
    ids::{FileId, OrgId},
    key::Key,
    storage::{MultipartId, PartTag, StorageError},
};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::live::Alive;

/// A part on its way to the store.
pub(crate) type PartWrite = JoinHandle<Result<PartTag, StorageError>>;

pub(crate) struct Cleanup {
    work: Option<Work>,
}

struct Work {
    backends: Backends,
    org: OrgId,
    file: FileId,
    /// Who waits for cleanups, e.g. a gateway that stops.
    tasks: TaskTracker,
    multipart: Option<MultipartId>,
    writing: Option<PartWrite>,
    /// The row is kept alive for as long as the upload is, not for its cleanup.
    alive: Alive,
}

impl Cleanup {
    pub(crate) fn arm(backends: Backends, org: OrgId, file: FileId, tasks: TaskTracker, alive: Alive) -> Self {
        Self { work: Some(Work { backends, org, file, tasks, multipart: None, writing: None, alive }) }
    }

    pub(crate) fn set_multipart(&mut self, multipart: MultipartId) {
        if let Some(work) = &mut self.work {
            work.multipart = Some(multipart);
        }
    }

    pub(crate) fn set_writing(&mut self, write: PartWrite) {
        if let Some(work) = &mut self.work {
            work.writing = Some(write);
        }
    }

    /// The part under way, to be awaited; it stays here until `written`, so that a dropped await does not lose it.
    pub(crate) fn writing(&mut self) -> Option<&mut PartWrite> {
        self.work.as_mut().and_then(|work| work.writing.as_mut())
    }

    pub(crate) fn written(&mut self) {
        if let Some(work) = &mut self.work {
            work.writing = None;
        }
    }

    /// The upload is complete, or nobody can say whether it is: leave everything to its row.
    pub(crate) fn disarm(&mut self) {
        self.work = None;
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tasks = work.tasks.clone();
            tasks.spawn_on(work.undo(), &runtime);
        }
    }
}

impl Work {
    async fn undo(mut self) {
        drop(self.alive);
        if let Some(write) = self.writing.take() {
            // A part that arrives after the abort would stay in the store.
            write.abort();
            drop(write.await);
        }
        let outcome = undo_upload(&self.backends, &self.org, self.file, self.multipart.as_ref()).await;
        if let Err(error) = outcome {
            let file = self.file;
            tracing::warn!(file.id = %file, error = &*error, "an unfinished upload is left to the sweeper");
        }
    }
}

type UndoError = Box<dyn std::error::Error + Send + Sync>;

/// Leaves nothing of an unfinished upload. The row goes last, so that a failure before it is found again.
async fn undo_upload(
    backends: &Backends,
    org: &OrgId,
    file: FileId,
    multipart: Option<&MultipartId>,
) -> Result<(), UndoError> {
    let key = Key::Staging { org: org.clone(), file };
    if let Some(multipart) = multipart {
        backends.storage.abort_multipart(&key, multipart).await?;
    }
    backends.storage.delete(&key).await?;
    backends.db.abandon_upload(org, file).await?;
    Ok(())
}
