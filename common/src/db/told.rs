//! What is told of each change of a file, in the transaction that makes it. Each says the state that the file has afterwards.

use super::{entity::files, events::record, transaction::WriteTx};
use crate::{
    event::data::{
        EventData, FileCompleted, FileDeleted, FileFailed, FileProcessing, FileReady, FileRestored, FileStaged,
        FileTrashed, FileUpdated, MadeRendition, RenditionReady, object,
    },
    file::Failure,
    ids::{FileId, OrgId},
    rendition::Rendition,
    timestamp::Timestamp,
};

fn tell<T: EventData>(tx: &WriteTx, file: &files::Model, data: &T) {
    record(tx, &OrgId::new(file.org_id.as_str()), FileId(file.id), T::KIND, object(data));
}

/// Accepted, or (`again`) waiting to be processed once more.
pub(super) fn staged(tx: &WriteTx, file: &files::Model, again: bool) {
    let files::Model { state, filename, kind, content_type, size_bytes, sha256, owner_id, .. } = file;
    let size_bytes = *size_bytes;
    tell(tx, file, &FileStaged { state, filename, kind, content_type, size_bytes, sha256, owner_id, again });
}

pub(super) fn processing(tx: &WriteTx, file: &files::Model, attempt: i64) {
    tell(tx, file, &FileProcessing { state: &file.state, attempt });
}

/// `file` is as it is afterwards.
pub(super) fn rendition(tx: &WriteTx, file: &files::Model, made: &Rendition) {
    let rendition = MadeRendition {
        name: &made.name,
        kind: made.kind,
        content_type: &made.content_type,
        size_bytes: made.size_bytes,
        width: made.width,
        height: made.height,
        bitrate: made.bitrate,
        codecs: made.codecs.as_deref(),
    };
    tell(tx, file, &RenditionReady { state: &file.state, rendition });
}

/// `rendition` is what can be played; a file that is not processed has none but itself.
pub(super) fn ready(tx: &WriteTx, file: &files::Model, rendition: Option<&str>) {
    tell(tx, file, &FileReady { state: &file.state, rendition });
}

/// `failure` says why not everything planned was made.
pub(super) fn completed(tx: &WriteTx, file: &files::Model, failure: Option<&Failure>) {
    tell(tx, file, &FileCompleted { state: &file.state, failure });
}

pub(super) fn failed(tx: &WriteTx, file: &files::Model, failure: &Failure) {
    tell(tx, file, &FileFailed { state: &file.state, failure });
}

/// `changed` are members of the file's JSON.
pub(super) fn updated(tx: &WriteTx, file: &files::Model, changed: &[&str]) {
    tell(tx, file, &FileUpdated { state: &file.state, changed });
}

/// It can be restored until the trash's time is over.
pub(super) fn trashed(tx: &WriteTx, file: &files::Model) {
    tell(tx, file, &FileTrashed { state: &file.state, kept_until: file.trash_ends_at.map(Timestamp) });
}

/// Back as it was; what was being made of it goes on being made.
pub(super) fn restored(tx: &WriteTx, file: &files::Model) {
    tell(tx, file, &FileRestored { state: &file.state });
}

/// Deleted, or an upload that was given up.
pub(super) fn deleted(tx: &WriteTx, file: &files::Model) {
    tell(tx, file, &FileDeleted { state: &file.state });
}
