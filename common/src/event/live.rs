//! What is told to whoever listens at the moment, and never kept: a picture of the present, which the next one replaces.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Envelope,
    data::{LiveData, object},
};
use crate::{
    closed_set::closed_set,
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};

closed_set! {
    pub enum LiveKind {
        UploadProgress = "upload.progress",
        JobQueued = "job.queued",
        JobProgress = "job.progress",
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveEvent {
    pub org_id: OrgId,
    pub file_id: FileId,
    pub kind: LiveKind,
    /// An object; which members it has, depends on the kind (docs/events.md).
    pub data: Value,
    /// By the clock of who tells it.
    pub created_at: Timestamp,
}

impl LiveEvent {
    /// As it is now.
    #[must_use]
    pub fn of<T: LiveData>(org_id: OrgId, file_id: FileId, data: &T) -> Self {
        Self { org_id, file_id, kind: T::KIND, data: object(data), created_at: Timestamp::now() }
    }

    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope {
            id: None,
            kind: self.kind.as_str(),
            file_id: self.file_id,
            created_at: self.created_at,
            data: &self.data,
        }
    }
}
