//! `PATCH`: a piece of an upload.

use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use reelgate_common::resumable::Role;

use super::{Desk, Secret, answer, decide::Refusal, error::TusError, headers::Append, take::Outcome};
use crate::{body::RequestBody, respond::Response};

impl Desk {
    pub(super) async fn append(
        self,
        secret: &Secret,
        headers: &HeaderMap,
        mut body: RequestBody,
    ) -> Result<Response, TusError> {
        let asked = Append::parse(headers)?;
        let upload = self.find(secret).await?;
        if upload.role == Role::Final {
            return Err(Refusal::IsFinal.into());
        }
        let _place = self.uploads().admission.enter(self.db(), &upload.org_id).await?;
        let taken = match self.take(secret).await? {
            Outcome::Taken(taken) => *taken,
            Outcome::Finished(over) => {
                body.discard_little();
                return ended(&over, &asked, body.is_end_stream());
            }
        };
        let received = self.clone().receive(taken, asked, body).await?;
        let upload = self.db().find_resumable(&secret.digest()).await?.unwrap_or(upload);
        let mut response = answer::about(StatusCode::NO_CONTENT, &upload);
        answer::set_offset(&mut response, received.bytes);
        answer::set_digest(&mut response, received.sha256.as_deref());
        Ok(response)
    }
}

/// An empty piece behind the last byte is as right as ever.
fn ended(upload: &reelgate_common::resumable::Resumable, asked: &Append, is_empty: bool) -> Result<Response, TusError> {
    let stored = upload.stored.bytes;
    if asked.offset != stored {
        return Err(Refusal::Offset { stored }.into());
    }
    if !is_empty {
        return Err(Refusal::BeyondLength { length: stored }.into());
    }
    let mut response = answer::about(StatusCode::NO_CONTENT, upload);
    answer::set_offset(&mut response, stored);
    Ok(response)
}
