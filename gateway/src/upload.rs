//! `POST /v1/files`: from the first byte of a multipart body to the row that says the file is safe.
//!
//! `multipart` cuts the body into parts, `form` decides what each part is, `transfer` carries one file: `gather` collects
//! parts of it under the common `budget`, `stage` commits. Whatever is not committed undoes itself (`cleanup`).

mod accept;
mod admission;
mod answer;
mod blocks;
mod budget;
mod cleanup;
pub mod config;
mod endpoints;
mod error;
mod fields;
#[cfg(test)]
pub(crate) mod fixture;
mod form;
mod gather;
mod live;
mod location;
pub(crate) mod multipart;
mod repeat;
mod sniff;
mod stage;
#[cfg(test)]
mod tests;
mod transfer;
pub mod tus;

use http::{
    Request, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use reelgate_common::{auth::Caller, backends::Backends, db::Db, event::SharedSignals, quota::Quota};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    admission::Admission,
    blocks::Blocks,
    budget::Budget,
    config::UploadConfig,
    error::UploadError,
    form::Form,
    live::LiveUploads,
    multipart::{Parser, boundary_of},
    repeat::RepeatKey,
    tus::holds::Holds,
};
pub(crate) use self::{endpoints::endpoints, location::display_name};
use crate::{
    body::RequestBody,
    error::{ApiError, Violation},
    respond::Response,
};

/// What uploads of one gateway share.
#[derive(Debug)]
pub struct Uploads {
    config: UploadConfig,
    /// Of each organisation.
    quota: Quota,
    admission: Admission,
    budget: Budget,
    blocks: Blocks,
    live: LiveUploads,
    holds: Holds,
    cleanups: TaskTracker,
}

impl Uploads {
    #[must_use]
    pub fn new(config: &UploadConfig, quota: Quota) -> Self {
        let largest_part = usize::try_from(config.part_bytes(None)).unwrap_or(usize::MAX / 2);
        let budget = Budget::new(config.memory_bytes, largest_part, config.turn());
        Self {
            config: config.clone(),
            quota,
            admission: Admission::new(config),
            budget,
            blocks: Blocks::default(),
            live: LiveUploads::default(),
            holds: Holds::default(),
            cleanups: TaskTracker::new(),
        }
    }

    /// Memory that uploads hold now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.budget.used()
    }

    /// How many are under way.
    #[must_use]
    pub fn active(&self) -> usize {
        self.live.list().len()
    }

    /// Returns when every upload that was broken off is undone. For the end of a drain.
    pub async fn settle(&self) {
        self.cleanups.close();
        self.cleanups.wait().await;
    }

    /// Keeps the rows of uploads under way alive: until `stop`, then until they have ended.
    pub(crate) fn keep_alive(&self, db: Db, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        self.live.clone().touch(db, self.config.touch(), stop)
    }

    /// Tells those who listen how far uploads are, until `stop`.
    pub(crate) fn tell(
        &self,
        signals: SharedSignals,
        every: std::time::Duration,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.live.clone().tell(signals, every, stop)
    }

    /// Hears who else wants an upload that this gateway writes: until `stop`, then until none is written any more.
    pub(crate) fn heed(&self, db: Db, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        self.holds.clone().heed(db, stop)
    }
}

/// Stores the files of a form. What can be refused by its head is refused before the body is polled, so that a client
/// which waits for `100 Continue` sends nothing.
///
/// # Errors
/// The request cannot be read, is too large, comes when there is no place for it, or holds no file. Failures of single files are in the answer.
pub async fn upload_files(
    uploads: &Uploads,
    backends: &Backends,
    caller: Caller,
    request: Request<RequestBody>,
) -> Result<Response, ApiError> {
    let length = content_length(&request);
    let limit = uploads.config.request_limit();
    if length.is_some_and(|length| length > limit) {
        return Err(UploadError::RequestTooLarge { limit }.into());
    }
    let repeat_key = RepeatKey::of(&request)?;
    let boundary = boundary(&request)?;
    let parser = Parser::new(&boundary, uploads.config.max_header_bytes).map_err(UploadError::from)?;
    let _place = uploads.admission.enter(&backends.db, &caller.org).await?;
    let form = Form::new(uploads, backends, &caller, length, repeat_key);
    let outcomes = form.receive(parser, request.into_body()).await?;
    if outcomes.is_empty() {
        return Err(ApiError::invalid(vec![Violation::missing("body", "files")]));
    }
    Ok(answer::answer(outcomes))
}

fn content_length(request: &Request<RequestBody>) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn boundary(request: &Request<RequestBody>) -> Result<String, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.and_then(boundary_of).ok_or_else(|| {
        ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_multipart",
            "Send the files as multipart/form-data with a boundary",
        )
    })
}
