//! An upload that goes on after its connection has broken, as any gateway finds it. Knows no database and no HTTP.

use std::time::Duration;

use crate::{
    closed_set::closed_set,
    ids::{FileId, OrgId, UserId},
    key::Key,
    labels::Labels,
    quota::Quota,
    storage::{MultipartId, PartTag},
    timestamp::Timestamp,
};

closed_set! {
    /// What its bytes become.
    pub enum Role {
        /// A file.
        Whole = "whole",
        /// A piece of a file that somebody will put together.
        Partial = "partial",
        /// A piece that was used for one.
        Used = "used",
        /// A file made of pieces.
        Final = "final",
    }
}

impl Role {
    /// Whether there is a row of `files` for it.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, Self::Whole | Self::Final)
    }
}

/// One to be begun. Its rows are made before its first byte.
#[derive(Debug, Clone)]
pub struct NewResumable {
    /// Digest of the secret in its address.
    pub address: String,
    pub file_id: FileId,
    pub org_id: OrgId,
    pub owner_id: UserId,
    pub role: Role,
    pub location: String,
    pub filename: String,
    pub claimed_type: Option<String>,
    /// As the client has sent it.
    pub metadata: String,
    /// What of that the file is to bear.
    pub labels: Labels,
    /// What a final one is made of, in order.
    pub sources: Vec<FileId>,
    pub length: Option<u64>,
    /// No more than this is taken of it.
    pub max_bytes: u64,
    pub part_bytes: u64,
    pub lasts: Duration,
    pub quota: Quota,
}

/// How much of an upload is safe. All of it lies in the store: whole parts in a multipart upload, what follows them in an object of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// Bytes; what the client is told.
    pub bytes: u64,
    /// Parts, all full but one that ends the upload.
    pub parts: u32,
    /// The number of the object with the bytes behind the parts.
    pub tail: Option<i64>,
    pub multipart: Option<MultipartId>,
    /// The state of the digest of all bytes.
    pub digest: String,
}

impl Stored {
    /// Bytes that lie behind the parts.
    #[must_use]
    pub fn tail_bytes(&self, part_bytes: u64) -> u64 {
        if self.tail.is_none() { 0 } else { self.bytes.saturating_sub(u64::from(self.parts) * part_bytes) }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumable {
    pub file_id: FileId,
    pub org_id: OrgId,
    pub owner_id: UserId,
    pub role: Role,
    pub filename: String,
    pub claimed_type: Option<String>,
    pub metadata: String,
    pub sources: Vec<FileId>,
    pub length: Option<u64>,
    pub max_bytes: u64,
    pub part_bytes: u64,
    pub stored: Stored,
    /// Who writes shows the number with which it began; there is one more with each.
    pub fence: i64,
    pub held: bool,
    /// It was taken from somebody who did not answer, and who may write a part at this moment.
    pub forced: bool,
    pub finished: bool,
    pub expires_at: Timestamp,
}

impl Resumable {
    /// All bytes are stored, whether or not that has been made a file of.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.length == Some(self.stored.bytes)
    }

    #[must_use]
    pub fn key(&self) -> Key {
        Key::Staging { org: self.org_id.clone(), file: self.file_id }
    }

    #[must_use]
    pub fn tail_key(&self, number: i64) -> Key {
        Key::Tail { org: self.org_id.clone(), file: self.file_id, number }
    }
}

/// One that somebody may write now, with the tags of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub resumable: Resumable,
    pub tags: Vec<PartTag>,
}

/// What a token for uploads permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadToken {
    pub org_id: OrgId,
    pub owner_id: UserId,
    pub max_bytes: u64,
    /// `video/mp4` or `video/*`.
    pub content_type: Option<String>,
    /// Goes before what the client says; JSON.
    pub metadata: String,
    pub uploads_left: u64,
    pub expires_at: Timestamp,
}
