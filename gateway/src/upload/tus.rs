//! `/v1/uploads`: the tus protocol 1.0 (<https://tus.io/protocols/resumable-upload>), for uploads that go on after their connection has
//! broken, through any gateway.
//!
//! The same uploads are spoken of in the words of the IETF's draft, too (`draft`).
//!
//! `headers` and `metadata` read what a request says, `decide` says what it may do, both pure. `take` takes an upload from whoever has it,
//! `receive` carries a body to the `writer`, which stores parts and tails, `finish` makes a file of it. What is safe stands in the row
//! (`common::resumable`) before any client hears of it.

mod address;
mod answer;
mod append;
pub(crate) mod checksum;
mod concatenate;
pub mod config;
mod create;
mod decide;
mod digest;
mod draft;
mod endpoints;
mod error;
mod finish;
pub(crate) mod fuzzed;
pub(crate) mod headers;
pub(super) mod holds;
mod look;
pub(crate) mod metadata;
mod receive;
mod take;
mod terminate;
mod tokens;
mod writer;

use std::sync::Arc;

use http::{HeaderMap, Request};
use reelgate_common::{backends::Backends, db::Db, ids::ProcessId, quota::Quota};

pub(crate) use self::{address::Secret, endpoints::endpoints, finish::close, tokens::mint};
use self::{config::ResumableConfig, error::TusError};
use super::Uploads;
use crate::{app::App, body::RequestBody, error::ApiError, respond::Response};

/// What a request asks of `/v1/uploads`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Look,
    Append,
    Terminate,
}

/// Where requests are served.
#[derive(Clone)]
pub(super) struct Desk {
    app: Arc<App>,
}

impl Desk {
    fn uploads(&self) -> &Uploads {
        &self.app.uploads
    }

    fn backends(&self) -> Backends {
        self.app.backends()
    }

    fn db(&self) -> &Db {
        &self.app.db
    }

    fn process(&self) -> &ProcessId {
        &self.app.process
    }

    fn config(&self) -> &ResumableConfig {
        &self.app.config.resumable
    }

    fn quota(&self) -> Quota {
        self.app.config.quota.quota()
    }
}

/// Answers a request; errors, too, bear the headers of the protocol.
pub(crate) async fn handle(
    app: &Arc<App>,
    verb: Verb,
    secret: Option<&str>,
    request: Request<RequestBody>,
) -> Response {
    let desk = Desk { app: app.clone() };
    let (head, body) = request.into_parts();
    if desk.config().ietf && !head.headers.contains_key(headers::TUS_RESUMABLE) && draft::head::is_spoken(&head.headers)
    {
        return draft::handle(desk, verb, secret, &head.headers, body).await;
    }
    let outcome = match headers::version(&head.headers) {
        Err(bad) => Err(TusError::from(bad).into()),
        Ok(()) => desk.serve(verb, secret, &head.headers, body).await,
    };
    answer::dressed(outcome.unwrap_or_else(ApiError::into_response))
}

/// `OPTIONS`: what is spoken here.
pub(crate) fn describe(app: &App, headers: &mut HeaderMap) {
    answer::describe(&app.uploads, headers);
    if app.config.resumable.ietf {
        draft::describe(app.uploads.config.max_file_bytes, headers);
    }
}

impl Desk {
    async fn serve(
        self,
        verb: Verb,
        secret: Option<&str>,
        headers: &HeaderMap,
        body: RequestBody,
    ) -> Result<Response, ApiError> {
        if verb == Verb::Create {
            return self.create(headers, body).await;
        }
        let secret = secret.and_then(Secret::parse).ok_or(TusError::NotFound)?;
        Ok(match verb {
            Verb::Create | Verb::Look => self.look(&secret).await?,
            Verb::Append => self.append(&secret, headers, body).await?,
            Verb::Terminate => self.terminate(&secret).await?,
        })
    }
}
