//! `GET /v1/events`: what happens to files, told live as server-sent events, through any gateway. The log is the database's
//! (`common::db::events`); here are those who listen.
//!
//! `hub` is who listens, `reader` reads the log for all of them, `listener` is what one of them is sent.

pub mod config;
pub(crate) mod frame;
pub(crate) mod hub;
mod listener;
mod reader;
mod standings;

use std::sync::Arc;

use futures_util::stream::unfold;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use reelgate_common::{ids::FileId, tokens::Scope};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    listener::{Filter, Listener},
    reader::Reader,
    standings::Standings,
};
use crate::{
    app::App,
    body::{self, Body, BoxError, Slices},
    endpoint::{Endpoint, Tag, failures::DATABASE, inline, media},
    error::{ApiError, Violation},
    grant::Grant,
    lease::Ticket,
    play::{Ask, Method},
    query::Query,
    respond::Response,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// nginx would hold events back until it has a buffer full of them.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Starts the reader; it ends when `stop` is cancelled.
pub fn spawn(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    let reader = Reader {
        db: app.db.clone(),
        hub: app.events.clone(),
        poll: app.config.events.poll(),
        touch: app.config.leases.touch(),
    };
    let signals = app.queue.signals();
    let standings = Standings::new(app.db.clone(), app.events.clone(), app.config.events.poll() * 2);
    tasks.spawn(standings.run(signals.listen(), stop.clone()));
    tasks.spawn(reader.run(app.db.bell().clone(), signals.listen(), stop.clone()));
    tasks.spawn(app.uploads.tell(signals.clone(), app.config.events.progress(), stop.clone()));
    tasks.spawn(reelgate_common::event::pass_on(app.db.bell().clone(), signals, stop.clone()));
}

/// What `GET /v1/events` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let last = || json!({ "type": "string", "pattern": "^[0-9]+$" });
    let listen = Endpoint::get("/v1/events", "listenToEvents", Tag::Events)
        .says(
            "Tells what happens to files, live",
            "Server-sent events, through any gateway, until the client leaves: `file.staged`, `file.processing`, `rendition.ready`, \
             `file.ready`, `file.completed`, `file.failed`, `file.updated`, `file.deleted`, which have numbers without gaps, and beside \
             them `upload.progress`, `job.queued` and `job.progress`, which are not kept: the `data` of each is an `Event` of `components/schemas`. A stream \
             token needs the scope `events`. `reset` (a `ResetEvent`) says that the number to go on after is not kept any more.",
        )
        .played()
        .query("file_id", inline::<FileId>(), "Only what happens to this file.", json!(media::FILE))
        .query("last_event_id", last(), "As the header, for clients that cannot send it.", json!("17"))
        .header("Last-Event-ID", last(), "Goes on after this event, without gap or repetition.", json!("17"))
        .sends(200, "Events, as they happen.", &["text/event-stream"])
        .fails(&["validation_failed", "file_not_found", "too_many_streams", "too_many_listeners"])
        .fails(DATABASE);
    vec![listen]
}

/// # Errors
/// 401, 403 for a token without the scope `events`, 404 for a file that is not there, 422, 429, 503.
pub(crate) async fn events(app: &Arc<App>, grant: Grant, ask: Ask<'_>) -> Result<Response, ApiError> {
    let ticket = grant.ticket().cloned();
    if ticket.as_ref().is_none_or(Ticket::lives) {
        grant.allows(Scope::Events)?;
    }
    let opens = ask.method == Method::Get;
    let lease = match &ticket {
        Some(ticket) if opens || !ticket.lives() => app.leases.listen(ticket, &ask.client()).await?,
        Some(ticket) => {
            app.leases.permit(ticket)?;
            None
        }
        None => None,
    };
    grant.allows(Scope::Events)?;
    let filter = filter(app, &grant, ask.query).await?;
    if !opens {
        return Ok(head(body::empty()));
    }
    let seat = app.events.enter(grant.org(), lease)?;
    let from = last_event_id(ask.headers, ask.query);
    let listener = Listener::open(app.clone(), seat, filter, ticket, from).await?;
    Ok(head(body(listener)))
}

fn head(body: Body) -> Response {
    let mut response = http::Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Asked for what comes next only when the client has taken what came before.
fn body(listener: Listener) -> Body {
    let events = unfold(listener, async |mut listener| {
        let text = listener.next().await?;
        Some((Ok::<_, BoxError>(Frame::data(Slices::from(text))), listener))
    });
    StreamBody::new(events).boxed_unsync()
}

async fn filter(app: &App, grant: &Grant, query: &Query<'_>) -> Result<Filter, ApiError> {
    let file = query.get("file_id").filter(|text| !text.is_empty()).map(str::parse::<FileId>).transpose();
    let file = file.map_err(|_| {
        let message = "Input should be a valid UUID in its hyphenated form";
        ApiError::invalid(vec![Violation::new(["query".into(), "file_id".into()], message, "uuid_parsing")])
    })?;
    if let Some(file) = file {
        grant.covers(file)?;
        app.rows.find(&app.db, grant.org(), file).await?.ok_or_else(ApiError::file_not_found)?;
    }
    Ok(Filter { file, files: grant.files().map(<[FileId]>::to_vec) })
}

/// What the client has heard last; browsers say it in the header when they connect again. What is no number of ours was told by another
/// log, which this one does not go on after.
fn last_event_id(headers: &HeaderMap, query: &Query<'_>) -> Option<i64> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default());
    let text = header.or_else(|| query.get("last_event_id")).filter(|text| !text.is_empty())?;
    Some(text.parse().ok().filter(|seq| *seq >= 0).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_browser_counts_before_its_address() {
        let mut headers = HeaderMap::new();
        let query = Query::parse(Some("last_event_id=4"));
        assert_eq!(last_event_id(&headers, &Query::default()), None);
        assert_eq!(last_event_id(&headers, &query), Some(4));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("9"));
        assert_eq!(last_event_id(&headers, &query), Some(9));
        for strange in ["-1", "x", "99999999999999999999"] {
            headers.insert(LAST_EVENT_ID, HeaderValue::from_static(strange));
            assert_eq!(last_event_id(&headers, &query), Some(i64::MAX), "{strange}");
        }
    }
}
