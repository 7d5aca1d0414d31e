//! Closes uploads that no gateway keeps alive, those that may go on later when their time is over, and multipart uploads that no row knows of.
//!
//! The row goes first here: closing it is atomic against the commit of a gateway that was only thought to be dead, so an
//! answered upload can never lose its object. What a crash after that leaves in the store is found without its row.

use reelgate_common::{db::PendingUpload, file::FileState, storage::PendingMultipart, timestamp::Timestamp};

use super::{DutyError, Ground};
use crate::upload::tus;

const LIMIT: u64 = 200;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let mut swept = 0;
    for upload in ground.backends.db.silent_uploads(ground.config.upload_silence(), LIMIT).await? {
        swept += u64::from(close(&ground, &upload).await?);
    }
    for upload in ground.backends.db.expired_resumables(LIMIT).await? {
        tus::close(&ground.backends, &upload.org_id, upload.file_id, Some(&upload)).await?;
        swept += u64::from(!upload.finished);
    }
    ground.backends.db.purge_upload_tokens().await?;
    Ok(swept + abort_unknown(&ground).await?)
}

pub(super) async fn close(ground: &Ground, upload: &PendingUpload) -> Result<bool, DutyError> {
    let backends = &ground.backends;
    backends.db.abandon_upload(&upload.org_id, upload.file_id).await?;
    if backends.db.file_stands(&upload.org_id, upload.file_id).await? {
        return Ok(false);
    }
    if let Some(multipart) = &upload.multipart {
        backends.storage.abort_multipart(&upload.key, multipart).await?;
    }
    backends.storage.delete(&upload.key).await?;
    tracing::info!(file.id = %upload.file_id, "an abandoned upload was closed");
    Ok(true)
}

async fn abort_unknown(ground: &Ground) -> Result<u64, DutyError> {
    let storage = &ground.backends.storage;
    let mut aborted = 0;
    for pending in storage.list_multipart("staging/").await? {
        if is_old(ground, &pending) && !is_uploading(ground, &pending).await? {
            storage.abort_multipart(&pending.key, &pending.upload).await?;
            aborted += 1;
        }
    }
    Ok(aborted)
}

fn is_old(ground: &Ground, pending: &PendingMultipart) -> bool {
    Timestamp::now().since(pending.started) > ground.config.upload_silence()
}

async fn is_uploading(ground: &Ground, pending: &PendingMultipart) -> Result<bool, DutyError> {
    let reelgate_common::key::Key::Staging { org, file } = &pending.key else { return Ok(true) };
    if ground.backends.db.resumable_of(org, *file).await?.is_some() {
        return Ok(true);
    }
    let found = ground.backends.db.find_file(org, *file).await?;
    Ok(found.is_some_and(|found| found.file.state == FileState::Uploading))
}
