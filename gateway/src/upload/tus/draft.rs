//! The same uploads in the words of the IETF's draft (draft-ietf-httpbis-resumable-upload, interop versions 6 to 9), if `resumable.ietf`
//! says so. What is kept, who may write and what becomes of it is the same; an upload that was begun in one protocol goes on in the other.
//!
//! Two things differ from the draft. There is no interim answer (104): hyper's server sends none, so a client that sends all bytes with the
//! creation cannot go on when that breaks. And an upload whose length was said is complete with its last byte.

mod answer;
pub(crate) mod head;
mod problem;

use http::HeaderMap;
use http_body::Body as _;
use reelgate_common::resumable::{Resumable, Role};

use self::{
    answer::Done,
    head::{Creation, appended},
    problem::Asked,
};
pub(super) use self::{answer::describe, problem::Problem};
use super::{Desk, Secret, Verb, decide::Refusal, error::TusError, headers::Append, take::Outcome};
use crate::{body::RequestBody, error::ApiError, respond::Response};

/// Answers a request that speaks this draft; errors, too, bear its headers.
pub(super) async fn handle(
    desk: Desk,
    verb: Verb,
    secret: Option<&str>,
    headers: &HeaderMap,
    body: RequestBody,
) -> Response {
    let asked = Asked { writes: matches!(verb, Verb::Create | Verb::Append), offset: head::offset(headers) };
    let limit = desk.uploads().config.max_file_bytes;
    let outcome = match verb {
        Verb::Create => desk.draft_create(headers, body).await,
        _ => match secret.and_then(Secret::parse) {
            None => Err(TusError::NotFound.into()),
            Some(secret) => desk.draft_go_on(verb, &secret, headers, body).await,
        },
    };
    answer::dressed(outcome.unwrap_or_else(|refused| problem::answer(refused, asked, limit)), headers)
}

/// What this draft has a problem type for, and everything else.
enum Refused {
    Tus(TusError),
    Api(ApiError),
    /// What is complete takes no more.
    Completed,
}

impl From<TusError> for Refused {
    fn from(error: TusError) -> Self {
        Self::Tus(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Tus(refusal.into())
    }
}

impl Desk {
    async fn draft_create(self, headers: &HeaderMap, body: RequestBody) -> Result<Response, Refused> {
        let warrant = self.warrant(headers).await.map_err(Refused::Api)?;
        let mut asked = Creation::parse(headers).map_err(TusError::from)?;
        warrant.narrow(&mut asked.metadata)?;
        let _place = self.uploads().admission.enter(self.db(), &warrant.caller.org).await.map_err(TusError::from)?;
        let secret = self.enrol(&warrant, Role::Whole, asked.piece.length, &asked.metadata).await?;
        if body.is_end_stream() && !asked.piece.last {
            return Ok(answer::created(&secret, &self.find(&secret).await?));
        }
        let last = asked.piece.last;
        let (upload, received) = self.clone().first_piece(&secret, asked.piece, body).await?;
        match last {
            true => Ok(self.draft_done(&upload).await?.answer()),
            false => Ok(answer::appended(answer::created(&secret, &upload), received.bytes)),
        }
    }

    async fn draft_go_on(
        self,
        verb: Verb,
        secret: &Secret,
        headers: &HeaderMap,
        body: RequestBody,
    ) -> Result<Response, Refused> {
        match verb {
            Verb::Append => self.draft_append(secret, appended(headers).map_err(TusError::from)?, body).await,
            Verb::Terminate => Ok(self.terminate(secret).await?),
            Verb::Create | Verb::Look => {
                let upload = self.find(secret).await?;
                let upload = self.settled(secret, upload).await?;
                let file = self.draft_file(&upload).await?;
                Ok(answer::shown(&upload, file.as_ref()))
            }
        }
    }

    async fn draft_append(self, secret: &Secret, asked: Append, body: RequestBody) -> Result<Response, Refused> {
        let upload = self.find(secret).await?;
        if upload.role == Role::Final {
            return Err(Refusal::IsFinal.into());
        }
        let _place = self.uploads().admission.enter(self.db(), &upload.org_id).await.map_err(TusError::from)?;
        let last = asked.last;
        let upload = match self.take(secret).await? {
            Outcome::Finished(over) => {
                ended(&over, &asked, body.is_end_stream())?;
                *over
            }
            Outcome::Taken(taken) => {
                self.clone().receive(*taken, asked, body).await?;
                self.find(secret).await?
            }
        };
        match last {
            true => Ok(self.draft_done(&upload).await?.answer()),
            false => Ok(answer::more(&upload)),
        }
    }

    /// What the upload has become; nothing of a piece that somebody will put together.
    async fn draft_file(
        &self,
        upload: &Resumable,
    ) -> Result<Option<reelgate_common::db::FileWithRenditions>, TusError> {
        match upload.finished && upload.role.is_file() {
            true => Ok(self.db().find_file(&upload.org_id, upload.file_id).await?),
            false => Ok(None),
        }
    }

    async fn draft_done<'a>(&self, upload: &'a Resumable) -> Result<Done<'a>, TusError> {
        Ok(Done { upload, file: self.draft_file(upload).await? })
    }
}

/// Nothing behind the last byte, said to be the end, is as right as ever.
fn ended(upload: &Resumable, asked: &Append, is_empty: bool) -> Result<(), Refused> {
    let stored = upload.stored.bytes;
    if asked.offset != stored {
        return Err(Refusal::Offset { stored }.into());
    }
    if !is_empty {
        return Err(Refusal::BeyondLength { length: stored }.into());
    }
    if asked.last { Ok(()) } else { Err(Refused::Completed) }
}
