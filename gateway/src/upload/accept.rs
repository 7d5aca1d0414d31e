//! From bytes that are stored to a file: however it was sent, the same is judged, committed and announced.

use reelgate_common::{
    backends::Backends,
    db::{FileWithRenditions, NewJob, StagedFile},
    file::FileState,
    ids::{FileId, JobId, OrgId},
    job::{DEFAULT_PRIORITY, JobKind},
    key::Key,
    lane::Lane,
    queue::Entry,
    step,
    storage::{ObjectMeta, Storage, StorageError},
    timestamp::Timestamp,
};

use tracing::{Instrument, Span};

use super::{error::UploadError, location, sniff, stage};
use crate::announce::announce;

/// A transfer whose bytes are all stored.
pub(super) struct Received<'a> {
    pub(super) org: &'a OrgId,
    pub(super) file: FileId,
    pub(super) filename: &'a str,
    /// The type the client says it is.
    pub(super) claimed: Option<&'a str>,
    /// The first bytes.
    pub(super) head: &'a [u8],
    pub(super) sha256: String,
    pub(super) object: ObjectMeta,
}

/// A file whose row is committed, and the job that nobody was told of yet.
pub(super) struct Accepted {
    stored: FileWithRenditions,
    job: Option<Entry>,
}

impl Received<'_> {
    /// The commit that answers an upload.
    ///
    /// # Errors
    /// `Closed`: the row is gone, the file is not accepted. After any other it may be.
    pub(super) async fn commit(self, backends: &Backends) -> Result<Accepted, UploadError> {
        let (org, file) = (self.org, self.file);
        let staged = self.judged();
        let job = (staged.state == FileState::Staged).then(process);
        let committing = committing(file, job.as_ref());
        let stored = stage::stage(&backends.db, org, file, &staged, job.as_ref()).instrument(committing).await?;
        tracing::info!(file.id = %file, size_bytes = staged.size_bytes, content_type = %staged.content_type, "a file was uploaded");
        let lane = |job: &NewJob| backends.db.lanes().of(job.kind, staged.kind, staged.size_bytes);
        Ok(Accepted { stored, job: job.map(|job| entry(&job, org, lane(&job))) })
    }

    /// What was sent, by its first bytes, its name, and what the client says.
    fn judged(self) -> StagedFile {
        let sniffed = sniff::sniff(self.head);
        let extension = location::extension(self.filename);
        let probe = sniff::wants_probe(extension.as_deref(), self.claimed, &sniffed);
        StagedFile {
            size_bytes: self.object.size,
            sha256: self.sha256,
            content_type: sniffed.content_type.into_owned(),
            kind: sniffed.kind,
            state: if probe { FileState::Staged } else { FileState::Ready },
            version: Some(self.object.version),
        }
    }
}

impl Accepted {
    /// Tells the queue, if there is work. Is it away, the dispatcher finds the row.
    pub(super) async fn announce(self, backends: &Backends) -> FileWithRenditions {
        if let Some(job) = self.job {
            announce(backends.queue.as_ref(), job).await;
        }
        self.stored
    }
}

/// What lies at `key` after an attempt to store `size` bytes there. The store may have done it and its answer been lost; the key is of one
/// upload alone, so the size tells.
///
/// # Errors
/// It is not there (the attempt's error), or has another size.
pub(super) async fn stored(
    storage: &dyn Storage,
    key: &Key,
    size: u64,
    attempt: Result<ObjectMeta, StorageError>,
) -> Result<ObjectMeta, UploadError> {
    let object = match attempt {
        Ok(object) => object,
        Err(error) => storage.head(key).await.map_err(|_| error)?,
    };
    if object.size == size {
        return Ok(object);
    }
    tracing::error!(%key, size_bytes = size, stored_bytes = object.size, "the store holds another size than was sent");
    Err(UploadError::Internal)
}

/// The transaction that makes the job: its attempts go on from here.
fn committing(file: FileId, job: Option<&NewJob>) -> Span {
    let Some(job) = job else { return step!("commit", file.id = %file) };
    step!(
        "commit", otel.kind = "producer", file.id = %file, job.id = %job.id, messaging.system = "reelgate",
        messaging.destination.name = "jobs", messaging.operation.type = "create", messaging.operation.name = "commit",
        messaging.message.id = %job.id,
    )
}

fn process() -> NewJob {
    NewJob { id: JobId::new(), kind: JobKind::Process, priority: DEFAULT_PRIORITY }
}

fn entry(job: &NewJob, org: &OrgId, lane: Lane) -> Entry {
    Entry { job_id: job.id, org_id: org.clone(), lane, priority: job.priority, run_at: Timestamp::now(), due: true }
}
