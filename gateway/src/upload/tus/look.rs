//! `HEAD`: how far an upload is. Whoever asks wants to go on: another request that has the upload is asked to save what has come of it and to
//! let go, so that nothing of that has to be sent again.

use http::{HeaderValue, StatusCode};
use reelgate_common::{
    resumable::{Resumable, Role},
    timestamp::Timestamp,
};

use super::{
    Desk, Secret, answer,
    error::TusError,
    headers::{UPLOAD_CONCAT, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, UPLOAD_METADATA},
    take::Outcome,
};
use crate::respond::Response;

impl Desk {
    pub(super) async fn look(self, secret: &Secret) -> Result<Response, TusError> {
        let upload = self.find(secret).await?;
        if upload.role == Role::Final && !upload.finished {
            // Whoever put it together may have died.
            self.clone().assemble_beside(secret.digest(), false);
            return Ok(shown(&upload, None));
        }
        let upload = self.settled(secret, upload).await?;
        let mut response = shown(&upload, Some(upload.stored.bytes));
        if upload.finished && upload.role.is_file() {
            let file = self.db().find_file(&upload.org_id, upload.file_id).await?;
            answer::set_digest(&mut response, file.as_ref().map(|file| file.file.sha256.as_str()));
        }
        Ok(response)
    }

    /// # Errors
    /// There is none, or its time is over.
    pub(super) async fn find(&self, secret: &Secret) -> Result<Resumable, TusError> {
        let upload = self.db().find_resumable(&secret.digest()).await?.ok_or(TusError::NotFound)?;
        let over = upload.expires_at <= Timestamp::now();
        if over && !upload.finished { Err(TusError::Expired) } else { Ok(upload) }
    }

    /// As it is when nobody writes it, and made a file of if it is whole.
    pub(super) async fn settled(&self, secret: &Secret, upload: Resumable) -> Result<Resumable, TusError> {
        if upload.finished || (!upload.held && !upload.is_whole()) {
            return Ok(upload);
        }
        match self.take(secret).await? {
            Outcome::Finished(over) => Ok(*over),
            Outcome::Taken(taken) if taken.hold.resumable.is_whole() => {
                self.finish(taken.hold).await?;
                self.find(secret).await
            }
            Outcome::Taken(taken) => {
                let upload = taken.hold.resumable.clone();
                self.let_go(taken.hold).await;
                Ok(upload)
            }
        }
    }
}

fn shown(upload: &Resumable, offset: Option<u64>) -> Response {
    let mut response = answer::about(StatusCode::OK, upload);
    if let Some(offset) = offset {
        answer::set_offset(&mut response, offset);
    }
    let headers = response.headers_mut();
    match upload.length {
        Some(length) => headers.insert(UPLOAD_LENGTH, HeaderValue::from(length)),
        None => headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    if let Ok(metadata) = HeaderValue::try_from(upload.metadata.as_str())
        && !metadata.is_empty()
    {
        headers.insert(UPLOAD_METADATA, metadata);
    }
    match upload.role {
        Role::Whole => {}
        Role::Partial | Role::Used => {
            headers.insert(UPLOAD_CONCAT, HeaderValue::from_static("partial"));
        }
        // Not with its pieces: their addresses are secrets, which nobody keeps.
        Role::Final => {
            headers.insert(UPLOAD_CONCAT, HeaderValue::from_static("final;"));
        }
    }
    response
}
