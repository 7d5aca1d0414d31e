//! After the last byte: the object, then what it is. Everything here may be done again, by anybody: what is stored is said by the row, so
//! two who do it at once do the same.

use futures_util::TryStreamExt;
use reelgate_common::{
    backends::Backends,
    db::FileWithRenditions,
    ids::{FileId, OrgId},
    key::Key,
    resumable::{Hold, Resumable, Role},
    step,
    storage::{ObjectMeta, StorageError},
};
use tracing::Instrument;

use super::{digest::Running, error::TusError};
use crate::upload::{
    accept::{self, Received},
    error::UploadError,
    sniff::SNIFF_BYTES,
};

/// Makes of a whole upload what it is to be. The file, unless it is a piece of one.
pub(super) async fn finish(backends: &Backends, hold: Hold) -> Result<Option<FileWithRenditions>, TusError> {
    let upload = &hold.resumable;
    let storing = async {
        let attempt = assemble(backends, &hold).await;
        accept::stored(backends.storage.as_ref(), &upload.key(), upload.stored.bytes, attempt).await
    };
    let span = step!("store", file.id = %upload.file_id, reelgate.size_bytes = upload.stored.bytes);
    let object = storing.instrument(span).await.map_err(damaged)?;
    let digest = Running::from_state(&upload.stored.digest).ok_or(TusError::Damaged)?.finish();
    if upload.forced {
        verify(backends, upload, &digest).await?;
    }
    let file = if upload.role.is_file() {
        Some(accept(backends, upload, object, digest).await?)
    } else {
        backends.db.finish_partial(upload.file_id).await?;
        None
    };
    drop_tails(backends, &upload.org_id, upload.file_id).await;
    if upload.role == Role::Final {
        drop_pieces(backends, upload).await;
    }
    Ok(file)
}

/// The object, of parts or of the tail alone.
async fn assemble(backends: &Backends, hold: &Hold) -> Result<ObjectMeta, StorageError> {
    let (upload, storage) = (&hold.resumable, &backends.storage);
    let key = upload.key();
    match (&upload.stored.multipart, upload.stored.tail) {
        (Some(multipart), _) if upload.stored.parts > 0 => {
            storage.complete_multipart(&key, multipart, hold.tags.clone()).await
        }
        (_, Some(number)) => storage.copy(&upload.tail_key(number), &key).await,
        _ => storage.put(&key, bytes::Bytes::new()).await,
    }
}

/// Somebody who had lost the upload may have been writing a part still: what lies there is read once.
async fn verify(backends: &Backends, upload: &Resumable, digest: &str) -> Result<(), TusError> {
    let mut found = Running::default();
    if upload.stored.bytes > 0 {
        let mut stream = backends.storage.get(&upload.key(), 0..upload.stored.bytes, None).await?;
        while let Some(chunk) = stream.try_next().await? {
            found.update(&chunk);
        }
    }
    if found.finish() == digest {
        return Ok(());
    }
    tracing::error!(file.id = %upload.file_id, "an upload that was taken over is not what was received");
    Err(TusError::Damaged)
}

async fn accept(
    backends: &Backends,
    upload: &Resumable,
    object: ObjectMeta,
    sha256: String,
) -> Result<FileWithRenditions, TusError> {
    let received = Received {
        org: &upload.org_id,
        file: upload.file_id,
        filename: &upload.filename,
        claimed: upload.claimed_type.as_deref(),
        head: &head(backends, upload).await?,
        sha256,
        object,
    };
    Ok(received.commit(backends).await?.announce(backends).await)
}

fn damaged(error: UploadError) -> TusError {
    match error {
        UploadError::Internal => TusError::Damaged,
        error => error.into(),
    }
}

/// The first bytes.
async fn head(backends: &Backends, upload: &Resumable) -> Result<Vec<u8>, TusError> {
    let length = upload.stored.bytes.min(SNIFF_BYTES as u64);
    if length == 0 {
        return Ok(Vec::new());
    }
    let stream = backends.storage.get(&upload.key(), 0..length, None).await?;
    let head = stream.try_fold(Vec::new(), async |mut head, chunk| {
        head.extend_from_slice(&chunk);
        Ok(head)
    });
    Ok(head.await?)
}

/// What is left of them is an orphan, and found as one.
async fn drop_tails(backends: &Backends, org: &OrgId, file: FileId) {
    if let Err(error) = delete_tails(backends, org, file).await {
        tracing::debug!(file.id = %file, error = &error as &dyn std::error::Error, "tails are left to the reconciler");
    }
}

/// # Errors
/// The store is away.
pub(crate) async fn delete_tails(backends: &Backends, org: &OrgId, file: FileId) -> Result<(), StorageError> {
    let mut tails = backends.storage.list(&Key::tail_prefix(org, file));
    while let Some(tail) = tails.try_next().await? {
        backends.storage.delete(&tail.key).await?;
    }
    Ok(())
}

/// The pieces of a file that is whole. They would expire anyway.
async fn drop_pieces(backends: &Backends, whole: &Resumable) {
    for &piece in &whole.sources {
        if let Err(error) = close(backends, &whole.org_id, piece, None).await {
            tracing::debug!(file.id = %whole.file_id, error = &error as &dyn std::error::Error, "a piece is left to its expiry");
        }
    }
}

/// Leaves nothing of an upload that is not wanted any more. The rows go first: closing them is atomic against the commit of whoever
/// finishes it, so that an accepted file never loses its object.
///
/// # Errors
/// Database or store are away; what is left is an orphan, and found as one.
pub(crate) async fn close(
    backends: &Backends,
    org: &OrgId,
    file: FileId,
    upload: Option<&Resumable>,
) -> Result<(), UploadError> {
    backends.db.close_resumable(org, file).await?;
    if backends.db.file_stands(org, file).await? {
        return Ok(());
    }
    let key = Key::Staging { org: org.clone(), file };
    if let Some(multipart) = upload.and_then(|upload| upload.stored.multipart.as_ref()) {
        backends.storage.abort_multipart(&key, multipart).await?;
    }
    backends.storage.delete(&key).await?;
    Ok(delete_tails(backends, org, file).await?)
}
