//! What has happened to a file, in the words that people and programs outside are told it. Knows neither who listens nor how the
//! log is kept.
//!
//! What is durable is in the log, numbered for each organisation without gaps in the order of its commits. What is transient is told
//! to whoever listens at the moment, and never kept.

mod bell;
pub mod data;
mod live;
mod signal;

use serde::Serialize;
use serde_json::Value;

pub(crate) use self::signal::CAPACITY as SIGNALS_CAPACITY;
pub use self::{
    bell::Bell,
    live::{LiveEvent, LiveKind},
    signal::{LocalSignals, SharedSignals, Signal, Signals, SignalsError, pass_on},
};
use crate::{
    closed_set::closed_set,
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};

closed_set! {
    /// What is kept in the log.
    pub enum EventKind {
        /// The upload is accepted, or the file waits to be processed once more.
        FileStaged = "file.staged",
        FileProcessing = "file.processing",
        RenditionReady = "rendition.ready",
        /// It can be played.
        FileReady = "file.ready",
        /// Every planned rendition is published, refused or given up.
        FileCompleted = "file.completed",
        FileFailed = "file.failed",
        /// Something else that its JSON shows has changed.
        FileUpdated = "file.updated",
        FileTrashed = "file.trashed",
        FileRestored = "file.restored",
        FileDeleted = "file.deleted",
    }
}

/// One row of `events`.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    pub org_id: OrgId,
    /// From 1 on, without gaps, in the order of the organisation's commits.
    pub seq: i64,
    pub file_id: FileId,
    pub kind: EventKind,
    /// An object; which members it has, depends on the kind (docs/events.md).
    pub data: Value,
    pub created_at: Timestamp,
}

/// An event as everybody outside gets it, by whatever way.
#[derive(Debug, Clone, Serialize)]
pub struct Envelope<'a> {
    /// Only of what is in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub file_id: FileId,
    pub created_at: Timestamp,
    pub data: &'a Value,
}

impl EventRecord {
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope {
            id: Some(self.seq.to_string()),
            kind: self.kind.as_str(),
            file_id: self.file_id,
            created_at: self.created_at,
            data: &self.data,
        }
    }
}

/// Which numbers an organisation's log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSpan {
    /// The oldest that is kept, or the one that comes next when none is.
    pub first: i64,
    /// The newest; 0 when nothing has ever happened.
    pub last: i64,
}

impl EventSpan {
    /// Whether all after `seq` is still there. What is ahead of the log was told by a database that has been replaced since.
    #[must_use]
    pub const fn goes_on_after(self, seq: i64) -> bool {
        seq >= self.first - 1 && seq <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_says_its_number_as_text() {
        let event = EventRecord {
            org_id: OrgId::new("acme"),
            seq: 17,
            file_id: FileId::new(),
            kind: EventKind::FileReady,
            data: serde_json::json!({ "state": "ready" }),
            created_at: Timestamp(0),
        };
        let expected = serde_json::json!({
            "id": "17", "type": "file.ready", "file_id": event.file_id, "created_at": "1970-01-01T00:00:00Z",
            "data": { "state": "ready" },
        });
        assert_eq!(serde_json::to_value(event.envelope()).unwrap(), expected);
    }

    #[test]
    fn one_goes_on_after_the_last_that_was_dropped_and_not_before_it() {
        let span = EventSpan { first: 5, last: 9 };
        let answers = [3, 4, 9, 10].map(|seq| span.goes_on_after(seq));
        assert_eq!(answers, [false, true, true, false]);
        assert!(EventSpan { first: 1, last: 0 }.goes_on_after(0), "nothing has happened yet");
        assert!(!EventSpan { first: 10, last: 9 }.goes_on_after(8), "nothing is kept");
    }
}
