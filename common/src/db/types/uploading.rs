//! Of uploads: how their rows come, and go on.

use crate::{
    file::{FileKind, FileState},
    ids::{FileId, OrgId, UserId},
    key::Key,
    labels::Labels,
    quota::Excess,
    resumable::{Hold, Resumable},
    storage::{MultipartId, Version},
    timestamp::Timestamp,
};

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

/// An unfinished transfer, as the sweeper sees it.
#[derive(Debug, Clone)]
pub struct PendingUpload {
    pub file_id: FileId,
    pub org_id: OrgId,
    pub key: Key,
    pub multipart: Option<MultipartId>,
    pub touched_at: Timestamp,
}
