//! A file as the product sees it: its states, its kind, why it failed. Knows no database and no HTTP.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    closed_set::closed_set,
    grid::SegmentGrid,
    ids::{FileId, OrgId, UserId},
    key::Key,
    labels::Labels,
    media_info::MediaInfo,
    storage::Version,
    timestamp::Timestamp,
};

closed_set! {
    /// Where a file is on its way. `Ready` and `Failed` are final for a generation.
    pub enum FileState {
        Uploading = "uploading",
        Staged = "staged",
        Processing = "processing",
        Ready = "ready",
        Failed = "failed",
    }
}

closed_set! {
    /// What a file is, by its content; `Other` is never rendered by a browser.
    pub enum FileKind {
        Video = "video",
        Audio = "audio",
        Image = "image",
        Other = "other",
    }
}

/// Why a file or a job failed, for programs (`code`) and for people (`message`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Stable, snake_case; listed in `docs/errors.md`.
    pub code: String,
    /// One sentence that tells the user what to do.
    pub message: String,
    /// Whether another run with the same source could succeed.
    pub retryable: bool,
}

/// One row of `files`, without its renditions.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRecord {
    pub id: FileId,
    pub org_id: OrgId,
    pub owner_id: UserId,
    /// Unique within the organisation; `{yyyy}/{mm}/{file}/{safe-name}`.
    pub location: String,
    /// As the client named it, cleaned of control characters; for display only.
    pub filename: String,
    /// The name as it is searched and sorted by; empty for a moment after an older build has written it.
    pub name_key: String,
    /// Sniffed from the content, never the client's claim.
    pub content_type: String,
    pub size_bytes: u64,
    /// Lower-case hex of the whole source.
    pub sha256: String,
    pub kind: FileKind,
    pub state: FileState,
    /// 0.0 to 1.0; 1.0 when every planned rendition is published or refused.
    pub progress: f64,
    pub failure: Option<Failure>,
    /// Counts processings of this file; half of the fencing token.
    pub generation: i64,
    pub media: Option<MediaInfo>,
    pub grid: Option<SegmentGrid>,
    /// The only truth about where the source lies. Never part of a cache key.
    pub source_key: Key,
    /// Of the object in staging when it was accepted; unknown in rows of older builds.
    pub staged_version: Option<Version>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub ready_at: Option<Timestamp>,
    pub labels: Labels,
    /// Since when it is in the trash.
    pub trashed_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
}
