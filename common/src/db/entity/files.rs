//! Table `files`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{parse, read_json, unsigned};
use crate::{
    db::DbError,
    file::{Failure, FileRecord, FileState},
    ids::{FileId, OrgId, UserId},
    job::JobState,
    labels::Labels,
    states::{
        file::{FileView, Presence},
        job::is_open,
    },
    storage::Version,
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "files")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub org_id: String,
    pub owner_id: String,
    pub location: String,
    pub filename: String,
    pub content_type: String,
    pub size_bytes: i64,
    pub sha256: String,
    pub kind: String,
    pub state: String,
    pub failure_code: Option<String>,
    pub failure_message: Option<String>,
    pub failure_retryable: Option<bool>,
    pub generation: i64,
    pub media: Option<String>,
    pub grid: Option<String>,
    pub source_key: String,
    pub staged_version: Option<String>,
    pub repeat_key: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub ready_at: Option<i64>,
    pub deleted_at: Option<i64>,
    pub name_key: String,
    /// JSON; `file_tags` says them again.
    pub tags: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
    pub expires_at: Option<i64>,
    pub trashed_at: Option<i64>,
    pub trash_ends_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn is(&self, state: FileState) -> bool {
        self.state == state.as_str()
    }

    /// Deleted, or in the trash: nothing about it changes then, but that it comes back.
    pub(in crate::db) fn is_away(&self) -> bool {
        self.deleted_at.is_some() || self.trashed_at.is_some()
    }

    pub(in crate::db) fn labels(&self) -> Result<Labels, DbError> {
        Ok(Labels {
            tags: self.tags.as_deref().map(read_json).transpose()?.unwrap_or_default(),
            metadata: self.metadata.as_deref().map(read_json).transpose()?.unwrap_or_default(),
            expires_at: self.expires_at.map(Timestamp),
        })
    }

    /// What the state machine looks at.
    pub(in crate::db) fn view(&self) -> Result<FileView, DbError> {
        let presence = match (self.deleted_at, self.trashed_at) {
            (Some(_), _) => Presence::Deleted,
            (None, Some(_)) => Presence::InTrash,
            (None, None) => Presence::Here,
        };
        Ok(FileView { state: parse(&self.state)?, presence })
    }

    /// `job` is how the one of the file's generation stands, if it has one: it knows the progress.
    pub(in crate::db) fn into_record(self, job: Option<(JobState, f64)>) -> Result<FileRecord, DbError> {
        let (state, labels) = (parse(&self.state)?, self.labels()?);
        Ok(FileRecord {
            id: FileId(self.id),
            org_id: OrgId::new(self.org_id),
            owner_id: UserId::new(self.owner_id),
            location: self.location,
            filename: self.filename,
            name_key: self.name_key,
            content_type: self.content_type,
            size_bytes: unsigned(self.size_bytes)?,
            sha256: self.sha256,
            kind: parse(&self.kind)?,
            state,
            progress: progress(state, job),
            failure: failure(self.failure_code, self.failure_message, self.failure_retryable),
            generation: self.generation,
            media: self.media.as_deref().map(read_json).transpose()?,
            grid: self.grid.as_deref().map(read_json).transpose()?,
            source_key: parse(&self.source_key)?,
            staged_version: self.staged_version.map(Version),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
            ready_at: self.ready_at.map(Timestamp),
            labels,
            trashed_at: self.trashed_at.map(Timestamp),
            deleted_at: self.deleted_at.map(Timestamp),
        })
    }
}

fn failure(code: Option<String>, message: Option<String>, retryable: Option<bool>) -> Option<Failure> {
    code.map(|code| Failure { code, message: message.unwrap_or_default(), retryable: retryable.unwrap_or(false) })
}

/// A playable file whose job is over will not get any further, whether or not everything planned was made.
fn progress(state: FileState, job: Option<(JobState, f64)>) -> f64 {
    let over = job.is_none_or(|(state, _)| !is_open(state));
    match job {
        _ if state == FileState::Ready && over => 1.0,
        Some((_, progress)) => progress,
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_whole_when_nothing_more_will_come() {
        assert_eq!(progress(FileState::Ready, None), 1.0);
        assert_eq!(progress(FileState::Ready, Some((JobState::Done, 1.0))), 1.0);
        assert_eq!(progress(FileState::Ready, Some((JobState::Dead, 0.4))), 1.0);
    }

    #[test]
    fn progress_is_the_jobs_until_then() {
        assert_eq!(progress(FileState::Ready, Some((JobState::Running, 0.4))), 0.4);
        assert_eq!(progress(FileState::Ready, Some((JobState::Split, 0.4))), 0.4);
        assert_eq!(progress(FileState::Failed, Some((JobState::Dead, 0.4))), 0.4);
        assert_eq!(progress(FileState::Uploading, None), 0.0);
    }
}
