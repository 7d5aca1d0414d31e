//! Streaming: the stream routes, a file by id or location. From a grant to a response with its range.

mod endpoints;

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE, USER_AGENT},
};
use http_body_util::BodyExt;
use reelgate_common::{
    auth::Caller,
    db::FileWithRenditions,
    file::FileRecord,
    ids::FileId,
    lease::{Client, Shown},
    storage::StorageError,
};
use serde_json::Value;

pub(crate) use self::endpoints::endpoints;
use crate::{
    app::App,
    body::{self, Body, Outlet, RequestBody},
    byteranges::{byteranges, random_boundary},
    cache::ReadError,
    conditional::{Validators, Verdict, evaluate, range_applies},
    entry::{Pass, Visit, enter},
    error::{ApiError, Violation},
    grant::Grant,
    json_body,
    lease::{Connection, Held},
    presented::{Presented, SERVER_TIMING},
    query::Query,
    range::{ByteRange, Wanted, wanted},
    regulars::{Address, Regular},
    representation::{Choice, Representation, SOURCE, Wish, choose, fallback_scope, no_rendition, pinned},
    respond::Response,
    stream,
    virtual_file::VirtualFile,
};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// RFC 9745: since 2026-01-01, when streaming by id took its place.
const DEPRECATED_SINCE: HeaderValue = HeaderValue::from_static("@1767225600");

/// What of the request bears on which bytes are sent.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub headers: &'a HeaderMap,
    pub query: &'a Query<'a>,
    pub method: Method,
    /// Whose request it is; a trusted proxy's client.
    pub address: IpAddr,
    /// Where parts of files may go.
    pub outlet: Option<&'a Outlet>,
}

/// How the answer depends on the verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    /// Answers as GET does, but is no GET: preconditions fail instead of "not modified".
    Post,
}

impl<'a> Ask<'a> {
    pub(crate) fn client(&self) -> Client {
        let user_agent = self.headers.get(USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
        Client::new(user_agent, self.address)
    }

    fn wish(&self, default: Wish<'a>) -> Wish<'a> {
        match self.query.get("rendition") {
            None => default,
            Some(SOURCE) => Wish::Source,
            Some(name) => Wish::Named(name),
        }
    }
}

/// `GET /v1/files/stream/{id}`. `asked` is remembered, with the route's name for the log.
///
/// # Errors
/// 404, 403, 409, 412, 416, or 503.
pub(crate) async fn stream_file(
    app: &Arc<App>,
    grant: Grant,
    file: FileId,
    ask: Ask<'_>,
    asked: Option<(Address, &'static str)>,
) -> Result<Response, ApiError> {
    let Pass { row, shown, lease } = admit(app, &grant, file, ask.wish(Wish::Best), ask).await?;
    let presented = Arc::new(Presented::new(&row.file, Representation::of(&row.file, chosen(app, &row, &shown, ask)?)));
    if let (Some((asked, route)), Some(lease), Some(fresh)) = (asked, &lease, app.rows.freshness(&row)) {
        let (lease, presented) = (lease.clone(), presented.clone());
        app.regulars.remember(asked, Regular { lease, presented, client: ask.client(), fresh, route });
    }
    present(app, &presented, lease.as_ref(), ask).await
}

/// `GET /v1/files/stream?location=`, deprecated.
///
/// # Errors
/// As `stream_file`; 422 lists all parameters that are missing.
pub(crate) async fn stream_location(
    app: &Arc<App>,
    grant: Result<Grant, ApiError>,
    ask: Ask<'_>,
) -> Result<Response, ApiError> {
    let Some(location) = ask.query.get("location") else {
        let missing = Violation::missing("query", "location");
        return Err(grant.map_or_else(|error| error.and(missing.clone()), |_| ApiError::invalid(vec![missing.clone()])));
    };
    let grant = grant?;
    let wish = ask.wish(Wish::Best);
    let file = find_location(app, &grant, location).await.and_then(|file| grant.allows(wish.scope()).map(|()| file));
    let pass = admit(app, &grant, file.map_err(|error| grant.veil(error))?, wish, ask).await?;
    let mut response = show(app, pass, ask).await?;
    response.headers_mut().insert(DEPRECATION, DEPRECATED_SINCE);
    Ok(response)
}

/// `GET /v1/files/{id}`
///
/// # Errors
/// As `stream_file`; 403 for neither owner nor admin.
pub(crate) async fn open_file(app: &Arc<App>, grant: Grant, file: FileId, ask: Ask<'_>) -> Result<Response, ApiError> {
    let pass = admit(app, &grant, file, ask.wish(Wish::Source), ask).await?;
    grant.owns(&pass.row.file)?;
    show(app, pass, ask).await
}

/// `POST /v1/files/location`
///
/// # Errors
/// As `stream_file`; 422 for a body without a location.
pub(crate) async fn open_location(
    app: &Arc<App>,
    caller: Caller,
    body: RequestBody,
    ask: Ask<'_>,
) -> Result<Response, ApiError> {
    let body = json_body::object(body).await?.unwrap_or_default();
    let location = match body.get("location") {
        Some(Value::String(location)) => location,
        Some(_) => {
            let loc = ["body".into(), "location".into()];
            return Err(ApiError::invalid(vec![Violation::new(loc, "Input should be a valid string", "string_type")]));
        }
        None => return Err(ApiError::invalid(vec![Violation::missing("body", "location")])),
    };
    let grant = Grant::from(caller);
    let file = find_location(app, &grant, location).await?;
    let pass = admit(app, &grant, file, ask.wish(Wish::Source), ask).await?;
    show(app, pass, ask).await
}

/// One rendition by its name, as `stream_file` with `rendition`.
///
/// # Errors
/// As `stream_file`.
pub(crate) async fn named(
    app: &Arc<App>,
    grant: &Grant,
    file: FileId,
    name: &str,
    ask: Ask<'_>,
) -> Result<Response, ApiError> {
    let pass = admit(app, grant, file, Wish::Named(name), ask).await?;
    show(app, pass, ask).await
}

/// The location is only ever compared with rows of the own organisation; it never becomes a key.
async fn find_location(app: &App, grant: &Grant, location: &str) -> Result<FileId, ApiError> {
    // No row has such a location, and Postgres refuses a NUL with an error of its own.
    if location.contains('\0') || location.len() > MAX_LOCATION {
        return Err(ApiError::file_not_found());
    }
    let row = Box::pin(app.rows.find_location(&app.db, grant.org(), location)).await?;
    let row = row.ok_or_else(ApiError::file_not_found)?;
    grant.covers(row.file.id)?;
    Ok(row.file.id)
}

const MAX_LOCATION: usize = 4_096;

async fn admit(app: &Arc<App>, grant: &Grant, file: FileId, wish: Wish<'_>, ask: Ask<'_>) -> Result<Pass, ApiError> {
    let (opens, client) = (ask.method == Method::Get, ask.client());
    let visit = Visit { grant, file, client, opens, scope: wish.scope(), parameter: wish.parameter() };
    let decide = |row: &FileWithRenditions| {
        let choice = choose(row, wish)?;
        if choice == Choice::Source && wish != Wish::Source {
            grant.allows(fallback_scope(row.file.kind))?;
        }
        Ok(choice.shown())
    };
    enter(app, visit, decide).await
}

/// What was chosen before, which somebody is shown now.
fn chosen<'a>(app: &App, row: &'a FileWithRenditions, shown: &Shown, ask: Ask<'_>) -> Result<Choice<'a>, ApiError> {
    let choice = pinned(row, shown)?;
    if let Choice::Rendition(rendition) = choice
        && ask.method != Method::Head
    {
        app.demand.shown(rendition);
    }
    Ok(choice)
}

async fn show(app: &Arc<App>, pass: Pass, ask: Ask<'_>) -> Result<Response, ApiError> {
    let Pass { row, shown, lease } = pass;
    let shown = Representation::of(&row.file, chosen(app, &row, &shown, ask)?);
    serve(app, &row.file, shown, lease.as_ref(), ask).await
}

/// Any representation, with preconditions, ranges and headers. What is sent under a lease counts as one of its
/// connections.
///
/// # Errors
/// 412, 416, 429, or why the first bytes cannot be read.
pub(crate) async fn serve(
    app: &Arc<App>,
    file: &FileRecord,
    shown: Representation,
    lease: Option<&Arc<Held>>,
    ask: Ask<'_>,
) -> Result<Response, ApiError> {
    present(app, &Presented::new(file, shown), lease, ask).await
}

async fn present(
    app: &Arc<App>,
    presented: &Presented,
    lease: Option<&Arc<Held>>,
    ask: Ask<'_>,
) -> Result<Response, ApiError> {
    let Prepared { mut head, bytes } = prepare(presented, ask)?;
    let Some(bytes) = bytes else { return Ok(head.map(|()| body::empty())) };
    // Before anything is read for it.
    let connection = lease.map(|held| app.leases.connect(held)).transpose()?;
    let opened = stream::open(app.clone(), presented.objects.clone(), bytes, ask.outlet.cloned()).await?;
    head.headers_mut().insert(SERVER_TIMING, opened.tier.server_timing());
    Ok(head.map(|()| sent(app, opened.bytes, connection)))
}

/// The same once more, for a client that was let in a moment ago. `None` when not all of it can be answered without waiting.
pub(crate) fn at_once(
    app: &Arc<App>,
    regular: &Regular,
    headers: &HeaderMap,
    (address, outlet): (IpAddr, Option<&Outlet>),
) -> Option<Result<Response, ApiError>> {
    let ask = Ask { headers, query: &Query::default(), method: Method::Get, address, outlet };
    let presented = &regular.presented;
    let Prepared { mut head, bytes } = match prepare(presented, ask) {
        Ok(prepared) => prepared,
        Err(error) => return Some(Err(error)),
    };
    let Some(bytes) = bytes else { return Some(Ok(head.map(|()| body::empty()))) };
    let opened = stream::at_hand(app, &presented.objects, bytes, outlet.cloned())?;
    let connection = match app.leases.connect(&regular.lease) {
        Ok(connection) => connection,
        Err(error) => return Some(Err(error)),
    };
    head.headers_mut().insert(SERVER_TIMING, opened.tier.server_timing());
    Some(Ok(head.map(|()| sent(app, opened.bytes, Some(connection)))))
}

/// An answer that lacks only its body: these bytes, if any.
struct Prepared {
    head: http::Response<()>,
    bytes: Option<VirtualFile>,
}

/// # Errors
/// 412 or 416.
fn prepare(presented: &Presented, ask: Ask<'_>) -> Result<Prepared, ApiError> {
    let shown = &presented.shown;
    let length = shown.bytes.length();
    let mut head = http::Response::new(());
    let (status, mut headers, bytes) = match decide(shown, length, ask)? {
        Answer::NotModified => {
            *head.status_mut() = StatusCode::NOT_MODIFIED;
            *head.headers_mut() = presented.validating();
            return Ok(Prepared { head, bytes: None });
        }
        Answer::Whole => (StatusCode::OK, presented.describing(), shown.bytes.clone()),
        Answer::Part(range) => {
            let mut headers = presented.describing_part();
            headers.insert(CONTENT_RANGE, header_value(&range.content_range(length)));
            (StatusCode::PARTIAL_CONTENT, headers, shown.bytes.slice(&range.span()))
        }
        Answer::Parts(ranges) => {
            let parts = byteranges(&shown.bytes, &shown.content_type, &ranges, &random_boundary());
            let mut headers = presented.describing();
            headers.insert(CONTENT_TYPE, parts.content_type);
            (StatusCode::PARTIAL_CONTENT, headers, parts.bytes)
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.length()));
    *head.status_mut() = status;
    *head.headers_mut() = headers;
    Ok(Prepared { head, bytes: (ask.method != Method::Head).then_some(bytes) })
}

fn sent(app: &App, body: stream::Reader, connection: Option<Connection>) -> Body {
    match connection {
        Some(connection) => app.leases.send(body, connection),
        None => body.boxed_unsync(),
    }
}

enum Answer {
    Whole,
    Part(ByteRange),
    Parts(Vec<ByteRange>),
    NotModified,
}

/// Preconditions, then the range (RFC 9110 section 13.2.2). A HEAD has no range (14.2).
fn decide(shown: &Representation, length: u64, ask: Ask) -> Result<Answer, ApiError> {
    let validators = Validators { etag: &shown.etag, modified: shown.modified.system_time() };
    match evaluate(ask.headers, validators, ask.method != Method::Post) {
        Verdict::NotModified => return Ok(Answer::NotModified),
        Verdict::Failed => return Err(precondition_failed()),
        Verdict::Proceed => {}
    }
    if ask.method == Method::Head || !range_applies(ask.headers, validators, SystemTime::now) {
        return Ok(Answer::Whole);
    }
    // A second `Range` is none that the RFC knows, so both are ignored.
    let mut values = ask.headers.get_all(RANGE).iter();
    let header = values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none());
    match wanted(header, length) {
        Wanted::Whole => Ok(Answer::Whole),
        Wanted::One(range) => Ok(Answer::Part(range)),
        Wanted::Several(ranges) => Ok(Answer::Parts(ranges)),
        Wanted::Unsatisfiable => Err(unsatisfiable(length)),
    }
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("made of digits and dates")
}

fn precondition_failed() -> ApiError {
    let detail = "The file is not the one the request's conditions name";
    ApiError::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
}

fn unsatisfiable(length: u64) -> ApiError {
    let detail = "The range lies outside the file";
    ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail)
        .header(CONTENT_RANGE, header_value(&format!("bytes */{length}")))
        .header(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
}

impl From<Arc<ReadError>> for ApiError {
    fn from(error: Arc<ReadError>) -> Self {
        Self::from(&*error)
    }
}

impl From<&ReadError> for ApiError {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::Deleted => Self::file_not_found(),
            ReadError::Withdrawn => no_rendition(),
            ReadError::Database(error) => error.into(),
            // Somebody has looked again: a published object that is not there is our loss, never the client's mistake.
            ReadError::Storage(error @ StorageError::NotFound { .. }) => {
                tracing::error!(error = error as &dyn std::error::Error, "a published object is missing");
                Self::internal()
            }
            ReadError::Storage(error) => error.into(),
            ReadError::WrongLength | ReadError::Interrupted => Self::internal(),
        }
    }
}
