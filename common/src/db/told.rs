//! What is told of each change of a file, in the transaction that makes it. The shapes are those of docs/events.md; each says the state
//! that the file has afterwards.

use serde_json::{Value, json};

use super::{entity::files, events::record, transaction::WriteTx};
use crate::{
    event::EventKind,
    file::Failure,
    ids::{FileId, OrgId},
    rendition::Rendition,
    timestamp::Timestamp,
};

fn tell(tx: &WriteTx, file: &files::Model, kind: EventKind, data: Value) {
    record(tx, &OrgId::new(file.org_id.as_str()), FileId(file.id), kind, data);
}

/// Accepted, or (`again`) waiting to be processed once more.
pub(super) fn staged(tx: &WriteTx, file: &files::Model, again: bool) {
    let data = json!({
        "state": file.state, "filename": file.filename, "kind": file.kind, "content_type": file.content_type,
        "size_bytes": file.size_bytes, "sha256": file.sha256, "owner_id": file.owner_id, "again": again,
    });
    tell(tx, file, EventKind::FileStaged, data);
}

pub(super) fn processing(tx: &WriteTx, file: &files::Model, attempt: i64) {
    tell(tx, file, EventKind::FileProcessing, json!({ "state": file.state, "attempt": attempt }));
}

/// `file` is as it is afterwards.
pub(super) fn rendition(tx: &WriteTx, file: &files::Model, made: &Rendition) {
    let rendition = json!({
        "name": made.name, "kind": made.kind, "content_type": made.content_type, "size_bytes": made.size_bytes,
        "width": made.width, "height": made.height, "bitrate": made.bitrate, "codecs": made.codecs,
    });
    tell(tx, file, EventKind::RenditionReady, json!({ "state": file.state, "rendition": rendition }));
}

/// `rendition` is what can be played; a file that is not processed has none but itself.
pub(super) fn ready(tx: &WriteTx, file: &files::Model, rendition: Option<&str>) {
    tell(tx, file, EventKind::FileReady, json!({ "state": file.state, "rendition": rendition }));
}

/// `failure` says why not everything planned was made.
pub(super) fn completed(tx: &WriteTx, file: &files::Model, failure: Option<&Failure>) {
    tell(tx, file, EventKind::FileCompleted, json!({ "state": file.state, "failure": failure }));
}

pub(super) fn failed(tx: &WriteTx, file: &files::Model, failure: &Failure) {
    tell(tx, file, EventKind::FileFailed, json!({ "state": file.state, "failure": failure }));
}

/// `changed` are members of the file's JSON.
pub(super) fn updated(tx: &WriteTx, file: &files::Model, changed: &[&str]) {
    tell(tx, file, EventKind::FileUpdated, json!({ "state": file.state, "changed": changed }));
}

/// It can be restored until the trash's time is over.
pub(super) fn trashed(tx: &WriteTx, file: &files::Model) {
    let until = file.trash_ends_at.map(Timestamp);
    tell(tx, file, EventKind::FileTrashed, json!({ "state": file.state, "kept_until": until }));
}

/// Back as it was; what was being made of it goes on being made.
pub(super) fn restored(tx: &WriteTx, file: &files::Model) {
    tell(tx, file, EventKind::FileRestored, json!({ "state": file.state }));
}

/// Deleted, or an upload that was given up.
pub(super) fn deleted(tx: &WriteTx, file: &files::Model) {
    tell(tx, file, EventKind::FileDeleted, json!({ "state": file.state }));
}
