//! What goes into and comes out of the database helpers, besides the domain types.

mod delivery;
mod leases;
mod parts;

use std::time::Duration;

use crate::{
    file::{Failure, FileKind, FileRecord, FileState},
    ids::{FileId, JobId, OrgId, UserId},
    job::{AttemptOutcome, Fence, JobKind, JobRecord, JobState},
    key::Key,
    labels::{Labels, MetadataChange, Why},
    lane::Lane,
    queue::Entry,
    quota::Excess,
    rendition::Rendition,
    resumable::{Hold, Resumable},
    still::MadeStill,
    storage::{MultipartId, Version},
    timestamp::Timestamp,
};

pub use self::{
    delivery::{DeliveryCensus, DeliveryFilter, Resent, Settled},
    leases::{LeaseFilter, LeaseNews, OpenedLease},
    parts::{Parked, Part, PartEnd, SplitFilm},
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

/// A file about to be uploaded; its row exists before its first byte.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub id: FileId,
    pub org_id: OrgId,
    pub owner_id: UserId,
    pub location: String,
    pub filename: String,
    pub staging_key: Key,
    /// Of one person's uploads those with the same are the same file.
    pub repeat_key: Option<String>,
    pub labels: Labels,
}

/// What became of a row that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New,
    /// This file has the same `repeat_key`; nothing was changed.
    Repeats(FileId),
    /// The organisation would have too much; nothing was changed.
    OverQuota(Excess),
}

/// Answer to `begin_resumable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BegunResumable {
    New,
    /// There is one with this address.
    Exists,
    OverQuota(Excess),
    /// The token has expired, or was used as often as it may be.
    TokenSpent,
    /// A piece that it is made of is gone, not whole, or was used already.
    SourcesGone,
}

/// Answer to `claim_resumable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedResumable {
    Taken(Box<Hold>),
    /// Somebody else has it, and hears that it is wanted.
    Held(FileId),
    /// There is nothing more to write.
    Finished(Box<Resumable>),
    Gone,
}

/// Answer to `declare_length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredLength {
    Known,
    OverQuota(Excess),
    TakenOver,
}

/// What is known when the last byte has been stored.
#[derive(Debug, Clone)]
pub struct StagedFile {
    pub size_bytes: u64,
    pub sha256: String,
    pub content_type: String,
    pub kind: FileKind,
    /// `Staged` when a job follows, `Ready` for what is never processed.
    pub state: FileState,
    /// Of the object in staging, if it is known.
    pub version: Option<Version>,
}

/// A job to insert in the same transaction as what it is about.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub id: JobId,
    pub kind: JobKind,
    pub priority: u8,
}

/// An unfinished transfer, as the sweeper sees it.
#[derive(Debug, Clone)]
pub struct PendingUpload {
    pub file_id: FileId,
    pub org_id: OrgId,
    pub key: Key,
    pub multipart: Option<MultipartId>,
    pub touched_at: Timestamp,
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

/// A job that this worker now runs, and its file.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub fence: Fence,
    pub job: JobRecord,
    pub file: FileRecord,
    /// Already published in this generation by an earlier attempt; must not be made again.
    pub published: Vec<Rendition>,
    /// Of a film that is encoded in parts.
    pub split: Option<SplitFilm>,
    /// Of a job that makes what a file has been watched for.
    pub errand: Option<Errand>,
}

/// What an attempt of an `earn` job is to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Errand {
    /// Names of renditions that the file's plan holds back.
    pub wanted: Vec<String>,
    /// That plan.
    pub plan: serde_json::Value,
}

/// Why `begin_attempt` gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    /// No such job, it is final, or its file is gone or of another generation: forget the entry.
    Obsolete,
    /// Another worker holds it and its heartbeat is fresh.
    Held,
    /// Written by a newer build than this one: hand it back.
    TooNew,
    /// Not due yet; by the database's clock.
    NotDue(Timestamp),
}

/// An output that was kept back, as the job remembers it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refusal {
    /// As the plan calls it.
    pub name: String,
    pub code: String,
    pub message: String,
}

/// Answer of a fenced write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    Written,
    /// The fence does not hold (another attempt, another generation, deleted): nothing was written.
    Stale,
}

/// Answer to `heartbeat_job`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobBeat {
    Held,
    /// The file was deleted or the job cancelled: stop.
    Cancelled,
    /// Another attempt holds the job: stop, publish nothing.
    Lost,
}

/// What became of a job whose attempt ended badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Queued again, not before this; by the database's clock.
    Again(Timestamp),
    /// Given up: job `dead`, file `failed` (or `ready` if something playable is published).
    Dead,
    /// The fence did not hold.
    Stale,
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

/// How an attempt ended, as its worker tells it.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    pub outcome: AttemptOutcome,
    pub failure: Option<Failure>,
    /// The last lines of the task that spoke last; empty when none said anything.
    pub last_words: String,
    /// The most that any of its tasks had in memory.
    pub peak_memory_bytes: Option<u64>,
}

/// One row of `attempts`.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    pub attempt: i64,
    pub worker: String,
    pub started_at: Timestamp,
    /// How far the job was when it began.
    pub progress: f64,
    /// `None` while it runs.
    pub ended_at: Option<Timestamp>,
    pub outcome: Option<AttemptOutcome>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub last_words: Option<String>,
    pub peak_memory_bytes: Option<u64>,
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

/// A running job whose worker has not been heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilentJob {
    pub id: JobId,
    pub attempt: i64,
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

/// A deleted file whose objects may still lie in the store.
#[derive(Debug, Clone)]
pub struct Tombstone {
    pub file_id: FileId,
    pub org_id: OrgId,
    pub staging_key: Key,
    /// An unfinished multipart upload, to be aborted before the purge.
    pub multipart: Option<MultipartId>,
    /// A worker or a gateway may still be writing: purge objects, but keep the row until it has stopped.
    pub running: bool,
    pub deleted_for: Duration,
}

/// On its way, and nothing moves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckFile {
    pub org_id: OrgId,
    pub file_id: FileId,
    pub state: FileState,
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

/// Jobs of one lane, kind and priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    pub lane: Lane,
    pub kind: JobKind,
    pub priority: u8,
    /// Due, and nobody has them.
    pub waiting: u64,
    /// Not due yet.
    pub delayed: u64,
    pub running: u64,
    /// How long the longest-waiting due job has been due.
    pub oldest_wait_ms: u64,
}

/// How often a file was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Views {
    /// Within the window that was asked about.
    pub window: u64,
    pub total: u64,
}

/// An earned rendition that nobody was shown for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColdRendition {
    pub org_id: OrgId,
    pub file_id: FileId,
    pub generation: i64,
    pub name: String,
}

/// An object of a rendition that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedObject {
    pub org_id: OrgId,
    pub file_id: FileId,
    pub generation: i64,
    pub attempt: i64,
    pub name: String,
}

/// Milliseconds that attempts for a file have taken, those that failed included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerTime {
    pub total_ms: u64,
    /// Of these for what it was watched for.
    pub earned_ms: u64,
}

/// Figures for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    pub dead_jobs: u64,
    /// Files that have been transient for too long with neither an upload nor a job behind them.
    pub stuck_files: u64,
}
