//! Events as the text of `text/event-stream` (<https://html.spec.whatwg.org/multipage/server-sent-events.html>). Pure.

use bytes::Bytes;
use reelgate_common::{
    event::{Envelope, EventRecord, EventSpan, LiveEvent},
    ids::FileId,
};
use serde::Serialize;
use utoipa::ToSchema;

/// One event, as it is sent to everybody who may see its file.
#[derive(Debug)]
pub(super) struct Line {
    /// `None` for what is not in the log.
    pub(super) seq: Option<i64>,
    pub(super) file: FileId,
    pub(super) text: Bytes,
}

impl From<&EventRecord> for Line {
    fn from(event: &EventRecord) -> Self {
        Self { seq: Some(event.seq), file: event.file_id, text: text(&event.envelope()) }
    }
}

impl From<&LiveEvent> for Line {
    fn from(event: &LiveEvent) -> Self {
        Self { seq: None, file: event.file_id, text: text(&event.envelope()) }
    }
}

/// JSON has no bare line feed, so it is one line.
fn text(envelope: &Envelope<'_>) -> Bytes {
    let id = envelope.id.as_ref().map_or_else(String::new, |id| format!("id: {id}\n"));
    let data = serde_json::to_string(envelope).expect("our own types always serialise");
    format!("event: {}\n{id}data: {data}\n\n", envelope.kind).into()
}

/// A block with a number and no data is dispatched to nobody, but remembered: whoever is cut off before its first event goes on from
/// here, too.
pub(super) fn greeting(retry_ms: u64, at: i64) -> Bytes {
    format!("retry: {retry_ms}\nid: {at}\n\n").into()
}

/// Says that the connection lives, and how far the log has been looked through for this listener.
pub(super) fn heartbeat(at: i64) -> Bytes {
    format!(":\nid: {at}\n\n").into()
}

/// Something may have happened that is not in the log any more: read everything anew.
pub(super) fn reset(span: EventSpan) -> Bytes {
    let data = Kept { first: span.first.to_string(), last: span.last.to_string() };
    let data = serde_json::to_string(&Reset { kind: RESET, data }).expect("our own types always serialise");
    format!("event: {RESET}\nid: {}\ndata: {data}\n\n", span.last).into()
}

const RESET: &str = "reset";

/// What was to be gone on after is not in the log any more: read everything anew.
#[derive(Serialize, ToSchema)]
#[schema(as = ResetEvent)]
pub(crate) struct Reset {
    /// `reset`
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(inline)]
    data: Kept,
}

#[derive(Serialize, ToSchema)]
struct Kept {
    /// The oldest number in the log.
    first: String,
    /// The newest.
    last: String,
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        event::{EventKind, LiveKind},
        ids::OrgId,
        timestamp::Timestamp,
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_in_the_log_has_a_number_and_what_is_not_has_none() {
        let file_id = FileId::new();
        let event = EventRecord {
            org_id: OrgId::new("acme"),
            seq: 7,
            file_id,
            kind: EventKind::FileStaged,
            data: json!({ "filename": "two\nlines" }),
            created_at: Timestamp(0),
        };
        let text = String::from_utf8(Line::from(&event).text.to_vec()).unwrap();
        assert!(text.starts_with("event: file.staged\nid: 7\ndata: {\"id\":\"7\","), "{text}");
        assert_eq!((text.matches('\n').count(), text.ends_with("\n\n")), (4, true));
        let live = LiveEvent {
            org_id: OrgId::new("acme"),
            file_id,
            kind: LiveKind::JobProgress,
            data: json!({ "progress": 0.5 }),
            created_at: Timestamp(0),
        };
        let text = String::from_utf8(Line::from(&live).text.to_vec()).unwrap();
        assert!(text.starts_with("event: job.progress\ndata: {\"type\":\"job.progress\","), "{text}");
    }

    #[test]
    fn a_greeting_and_a_heartbeat_carry_a_number_and_no_data() {
        assert_eq!(greeting(2_000, 3), "retry: 2000\nid: 3\n\n");
        assert_eq!(heartbeat(4), ":\nid: 4\n\n");
    }
}
