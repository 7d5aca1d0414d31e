//! What goes into and comes out of the database helpers, besides the domain types.

mod attempts;
mod delivery;
mod figures;
mod leases;
mod parts;
mod uploading;

use std::time::Duration;

use crate::{
    file::FileRecord,
    ids::{FileId, JobId, OrgId},
    job::{JobKind, JobState},
    key::Key,
    labels::{MetadataChange, Why},
    lane::Lane,
    queue::Entry,
    rendition::Rendition,
    still::MadeStill,
    timestamp::Timestamp,
};

pub use self::{
    attempts::*,
    delivery::{DeliveryCensus, DeliveryFilter, Resent, Settled},
    figures::*,
    leases::{LeaseFilter, LeaseNews, OpenedLease},
    parts::{Parked, Part, PartEnd, SplitFilm},
    uploading::*,
};

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection, or no answer in time: the caller may try again later.
    #[error("the database is away or too busy")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database refused: {what}")]
    Refused {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("a stored value cannot be read: {0}")]
    Garbled(String),
}

/// A job to insert in the same transaction as what it is about.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub id: JobId,
    pub kind: JobKind,
    pub priority: u8,
}

/// `PATCH /v1/files/{id}`: what is `None` or empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileChange {
    pub filename: Option<String>,
    /// In the place of all that it has.
    pub tags: Option<Vec<String>>,
    pub metadata: MetadataChange,
    /// `Some(None)`: never.
    pub expires_at: Option<Option<Timestamp>>,
    /// Only if nothing has changed it since.
    pub unchanged_since: Option<Timestamp>,
}

impl FileChange {
    /// The members of the file's JSON that it names.
    #[must_use]
    pub fn members(&self) -> Vec<&'static str> {
        let named = [
            ("filename", self.filename.is_some()),
            ("tags", self.tags.is_some()),
            ("metadata", !self.metadata.is_empty()),
            ("expires_at", self.expires_at.is_some()),
        ];
        named.into_iter().filter_map(|(name, is_named)| is_named.then_some(name)).collect()
    }
}

/// Answer to `change_file`.
#[derive(Debug, Clone)]
pub enum ChangedFile {
    Done(Box<FileWithRenditions>),
    /// The metadata would be too much.
    TooMuch(Why),
    /// It was changed since.
    Moved,
    NoSuchFile,
}

/// How a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// To the trash, for so long. One that is still uploaded is deleted.
    ToTrash(Duration),
    /// At once, also out of the trash.
    Deletion,
    /// At once, but only if its time is over: it expires, or was in the trash for as long as it was to.
    Ending,
}

/// Answer to `remove_file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Trashed,
    Deleted,
    NoSuchFile,
}

/// Answer to `restore_file`.
#[derive(Debug, Clone)]
pub enum RestoredFile {
    /// With the jobs that wait again, which the caller may put into the queue.
    Back(Box<FileWithRenditions>, Vec<DueJob>),
    NoSuchFile,
}

/// A file with what has been published of its current generation.
#[derive(Debug, Clone)]
pub struct FileWithRenditions {
    pub file: FileRecord,
    pub renditions: Vec<Rendition>,
}

/// A job the dispatcher may put into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueJob {
    pub id: JobId,
    pub org_id: OrgId,
    pub lane: Lane,
    pub priority: u8,
    pub run_at: Timestamp,
    /// By the database's clock, which alone decides.
    pub due: bool,
}

impl From<DueJob> for Entry {
    fn from(job: DueJob) -> Self {
        let DueJob { id: job_id, org_id, lane, priority, run_at, due } = job;
        Self { job_id, org_id, lane, priority, run_at, due }
    }
}

/// Whose jobs somebody may see.
#[derive(Debug, Clone, Copy)]
pub enum Reach<'a> {
    Org(&'a OrgId),
    /// An operator's.
    All,
}

/// `GET /v1/jobs`: newest first.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    pub state: Option<JobState>,
    /// Without one, all but chunks: a film's own job speaks for its parts.
    pub kind: Option<JobKind>,
    pub file: Option<FileId>,
    /// Only jobs older than this one (the last of the page before).
    pub after: Option<JobId>,
    /// 1 to 200.
    pub limit: u64,
}

/// Answer to `cancel_job`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    Stopped,
    /// It had ended already.
    Over,
    NoSuchJob,
}

/// Answer to `retry_job`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// Waits again; the caller may put it into the queue.
    Queued(DueJob),
    /// Not failed, or failed for a reason that another run would meet again.
    NotRetryable,
    NoSuchFile,
}

/// How many thumbnails one organisation may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillLimits {
    /// Asked for and not made yet.
    pub waiting: u64,
    /// In the store; the oldest make room.
    pub stored: u64,
}

/// Answer to `ask_still` and `find_still`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedStill {
    Made(MadeStill),
    /// Noted; `job` may be put into the queue, and `evicted` lies in the store for nobody any more.
    Waiting {
        job: Option<DueJob>,
        evicted: Vec<Key>,
    },
    /// It cannot be made; why.
    Refused(String),
    /// The organisation has too many waiting already.
    TooMany,
    NoSuchFile,
}

/// Answer to `finish_stills`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishedStills {
    Done,
    /// Somebody has asked for more meanwhile.
    More,
    Stale,
}

/// Answer to `put_captions`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one at a time")]
pub enum AddedCaptions {
    /// What stood there before may be deleted.
    Stored {
        replaced: Option<Rendition>,
    },
    TooMany,
    NoSuchFile,
}

/// How the processing of a file stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    Waiting {
        file: FileId,
        /// 1 for what comes next of its organisation.
        position: u64,
    },
    Running {
        file: FileId,
        progress: f64,
    },
}

/// Answer to `mend_stuck`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// An upload that had lost its row: the file's row is gone, its object is an orphan.
    Closed,
    /// `failed` as its job was, to be retried.
    Settled,
    /// Waits to be processed.
    Queued,
    /// It is not stuck any more.
    Moved,
}

/// Answer to `withdraw_rendition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    /// Gone, and its file waits to be processed.
    Queued,
    /// Another rendition by now, or a job is under way: nothing was changed.
    Moved,
}
