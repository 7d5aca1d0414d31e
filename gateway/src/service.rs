//! One request from its first line to its last byte: id, route, handler, headers that every answer bears, one log line.
//! The dispatcher: it knows every handler and is known by `run` alone.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{EXPECT, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS},
};
use hyper::body::{Body as _, Incoming};
use reelgate_common::traces::{self, TRACEPARENT};
use tracing::Instrument;

use crate::{
    access_log::{AccessLog, Subject},
    app::App,
    body::{Outlet, RequestBody},
    captions, cors, cost, delete,
    error::ApiError,
    events, files, grant, hls, images, jobs, leases, mint, openapi, page, play,
    query::Query,
    regulars::Asked,
    request_id::{RequestId, X_REQUEST_ID},
    respond::{Response, bare},
    revoke,
    route::Route,
    server::{Handler, Peer},
    spans, thumbnail, trash,
    upload::{self, tus},
    usage, webhooks,
};

/// The API on its listener.
#[derive(Clone)]
pub(crate) struct Api {
    app: Arc<App>,
    /// `Strict-Transport-Security` of every answer.
    strict_transport: Option<HeaderValue>,
}

impl Handler for Api {
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> Response {
        let app = &self.app;
        let trusted = app.config.http.trusts(peer.address.ip());
        let id = RequestId::of(request.headers(), trusted);
        let client = client_address(request.headers(), trusted).unwrap_or(peer.address.ip());
        let origin = request.headers().get(ORIGIN).cloned();
        let route = Route::parse(asked_method(&request), request.uri().path());
        let name = route.as_ref().map_or("none", Route::name);
        let span = spans::request(&request, &id, route.as_ref().ok());
        traces::adopt(&span, self.parent_of(&request, trusted));
        let subject = Subject::new(id.clone(), client, request.method(), request.uri(), name).within(span.clone());
        let log = AccessLog::begin(subject, Instant::now());

        let response = match route {
            Ok(route) => {
                let answer = self.answer(route, (client, peer.outlet.as_ref()), self.receive(request));
                answer.instrument(span).await
            }
            Err(error) => {
                // Dropping the body here lets a client that is still sending read the answer.
                drop(self.receive(request));
                error.into_response()
            }
        };
        log.watch(self.dressed(response, &id, origin.as_ref()))
    }

    /// The next range for a player that was let in a moment ago, out of memory: nothing to wait for, so no future.
    fn at_once(&self, peer: &Peer, request: &Request<Incoming>) -> Option<Response> {
        let (app, begun) = (&self.app, Instant::now());
        let headers = request.headers();
        let trusted = app.config.http.trusts(peer.address.ip());
        let client = client_address(headers, trusted).unwrap_or(peer.address.ip());
        let asked = Asked::of(request, client).filter(|_| request.body().is_end_stream())?;
        let regular = app.regulars.again(asked, &app.leases, |fresh| app.rows.is_fresh(fresh, begun))?;
        let outcome =
            catch_unwind(AssertUnwindSafe(|| play::at_once(app, &regular, headers, (client, peer.outlet.as_ref()))));
        let response = outcome.unwrap_or_else(|_| Some(Err(panicked(regular.route))))?;
        let id = RequestId::of(headers, trusted);
        let response = self.dressed(response.unwrap_or_else(ApiError::into_response), &id, headers.get(ORIGIN));
        let subject = Subject::new(id, client, request.method(), request.uri(), regular.route);
        Some(AccessLog::begin(subject, begun).watch(response))
    }
}

impl Api {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let strict_transport = app.config.http.strict_transport();
        Self { app, strict_transport }
    }

    /// The trace that the request goes on with.
    fn parent_of<'a>(&self, request: &'a Request<Incoming>, trusted: bool) -> Option<&'a str> {
        let header = request.headers().get(TRACEPARENT).filter(|_| self.app.config.traces.accepts(trusted))?;
        header.to_str().ok()
    }

    /// With what every answer bears.
    fn dressed(&self, mut response: Response, id: &RequestId, origin: Option<&HeaderValue>) -> Response {
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, id.header());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if let Some(value) = &self.strict_transport {
            headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
        }
        cors::allow_origin(&self.app.config.http.cors_origins, origin, headers);
        response
    }

    fn receive(&self, request: Request<Incoming>) -> Request<RequestBody> {
        let continues = request
            .headers()
            .get(EXPECT)
            .is_some_and(|value| value.to_str().is_ok_and(|text| text.eq_ignore_ascii_case("100-continue")));
        let idle = self.app.config.http.body_idle_timeout();
        request.map(|incoming| RequestBody::new(incoming, idle, continues))
    }

    /// A panic of a handler is this request's end and nobody else's.
    async fn answer(&self, route: Route, from: From<'_>, request: Request<RequestBody>) -> Response {
        let name = route.name();
        match AssertUnwindSafe(dispatch(&self.app, route, from, request)).catch_unwind().await {
            Ok(outcome) => outcome.unwrap_or_else(ApiError::into_response),
            Err(_) => panicked(name).into_response(),
        }
    }
}

/// Whose request it is, a trusted proxy's client, and where parts of files may go.
type From<'a> = (IpAddr, Option<&'a Outlet>);

fn panicked(route: &'static str) -> ApiError {
    tracing::error!(route, "a handler panicked");
    ApiError::internal()
}

/// The table of contents of the API. A request's future is moved about and is as large as its largest branch, so all that does
/// not stream is boxed.
async fn dispatch(
    app: &Arc<App>,
    route: Route,
    (address, outlet): From<'_>,
    request: Request<RequestBody>,
) -> Result<Response, ApiError> {
    let streams = matches!(route, Route::StreamFile(_));
    let asked = Asked::of(&request, address).filter(|_| streams).map(|asked| (asked.to_address(), route.name()));
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query());
    let head = &parts.headers;
    let method = match parts.method {
        Method::HEAD => play::Method::Head,
        Method::POST => play::Method::Post,
        _ => play::Method::Get,
    };
    let ask = play::Ask { headers: head, query: &query, method, address, outlet };
    match route {
        Route::Page(asset) => Ok(page::page(asset, head)),
        Route::OpenApi => Ok(openapi::answer(head)),
        Route::Preflight(methods) => {
            let mut response = bare(StatusCode::NO_CONTENT);
            cors::options(methods, head, response.headers_mut());
            Ok(response)
        }
        Route::DescribeUploads(methods) => {
            let mut response = bare(StatusCode::NO_CONTENT);
            cors::options(methods, head, response.headers_mut());
            tus::describe(app, response.headers_mut());
            Ok(response)
        }
        Route::MintUploadToken => Box::pin(tus::mint(app, grant::counted(app, head).await?, body)).await,
        Route::Resumable(verb, secret) => {
            drop(query);
            let request = Request::from_parts(parts, body);
            Ok(Box::pin(tus::handle(app, verb, secret.as_deref(), request)).await)
        }
        Route::StreamFile(file) => {
            let grant = grant::stream(app, head, &query).await?;
            Box::pin(play::stream_file(app, grant, file, ask, asked)).await
        }
        Route::Master(file) => Box::pin(hls::master(app, grant::stream(app, head, &query).await?, file, ask)).await,
        Route::Manifest(file) => Box::pin(hls::manifest(app, grant::stream(app, head, &query).await?, file, ask)).await,
        Route::Packaged(path) => hls::packaged(app, &path, ask).await,
        Route::StreamLocation => {
            Box::pin(play::stream_location(app, grant::stream(app, head, &query).await, ask)).await
        }
        Route::Open(file) => Box::pin(play::open_file(app, grant::playback(app, head, &query).await?, file, ask)).await,
        Route::Image(file, image) => {
            Box::pin(images::image(app, grant::media(app, head, &query).await?, (file, image), ask)).await
        }
        Route::Thumbnail(file) => {
            Box::pin(thumbnail::thumbnail(app, grant::media(app, head, &query).await?, file, ask)).await
        }
        Route::Captions(file, name) => {
            Box::pin(captions::track(app, grant::playback(app, head, &query).await?, file, &name, ask)).await
        }
        Route::AddCaptions(file) => {
            Box::pin(captions::add(app, &grant::counted(app, head).await?, file, (head, &query, body))).await
        }
        Route::RemoveCaptions(file, name) => {
            Box::pin(captions::remove(app, &grant::counted(app, head).await?, file, &name)).await
        }
        Route::OpenLocation => Box::pin(play::open_location(app, grant::caller(app, head).await?, body, ask)).await,
        Route::MintToken => Box::pin(mint::mint(app, grant::counted(app, head).await?, body)).await,
        Route::List => Box::pin(files::list(app, &grant::counted(app, head).await?, &query)).await,
        Route::Cost(file) => Box::pin(cost::cost(app, &grant::counted(app, head).await?, file)).await,
        Route::Info(file) => Box::pin(files::info(app, &grant::counted(app, head).await?, file)).await,
        Route::Change(file) => Box::pin(files::change(app, &grant::counted(app, head).await?, file, body)).await,
        Route::Delete(file) => Box::pin(delete::delete(app, &grant::counted(app, head).await?, file, &query)).await,
        Route::DeleteMany => Box::pin(delete::delete_many(app, &grant::counted(app, head).await?, body)).await,
        Route::Restore(file) => Box::pin(trash::restore(app, &grant::counted(app, head).await?, file)).await,
        Route::Events => Box::pin(events::events(app, grant::playback(app, head, &query).await?, ask)).await,
        Route::Usage => Box::pin(usage::usage(app, &grant::counted(app, head).await?)).await,
        Route::Leases => Box::pin(leases::list(app, &grant::counted(app, head).await?, &query)).await,
        Route::RevokeLeases => Box::pin(revoke::revoke(app, &grant::counted(app, head).await?, body)).await,
        Route::RetryFile(file) => Box::pin(jobs::retry_file(app, &grant::counted(app, head).await?, file)).await,
        Route::Jobs => Box::pin(jobs::list(app, &grant::counted(app, head).await?, &query)).await,
        Route::Job(job) => Box::pin(jobs::explain(app, &grant::counted(app, head).await?, job)).await,
        Route::RetryJob(job) => Box::pin(jobs::retry(app, &grant::counted(app, head).await?, job)).await,
        Route::CancelJob(job) => Box::pin(jobs::cancel(app, &grant::counted(app, head).await?, job)).await,
        Route::Webhooks(ask) => {
            Box::pin(webhooks::handle(app, &grant::counted(app, head).await?, ask, (&query, body))).await
        }
        Route::Upload => {
            let caller = grant::counted(app, head).await?;
            drop(query);
            let request = Request::from_parts(parts, body);
            Box::pin(upload::upload_files(&app.uploads, &app.backends(), caller, request)).await
        }
    }
}

/// What is meant by a client that can send no other methods than `POST` (tus 1.0, `X-HTTP-Method-Override`).
fn asked_method<B>(request: &Request<B>) -> &Method {
    let uploads = request.method() == Method::POST && request.uri().path().starts_with("/v1/uploads/");
    let meant = request.headers().get("x-http-method-override").filter(|_| uploads);
    match meant.map(HeaderValue::as_bytes) {
        Some(b"PATCH") => &Method::PATCH,
        Some(b"DELETE") => &Method::DELETE,
        Some(b"HEAD") => &Method::HEAD,
        _ => request.method(),
    }
}

/// The address next to the trusted proxy: what stands before it anybody could have written.
fn client_address(headers: &HeaderMap, trusted: bool) -> Option<IpAddr> {
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back().filter(|_| trusted)?;
    let last = forwarded.to_str().ok()?.rsplit(',').next()?.trim();
    last.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn only_a_trusted_proxy_names_clients() {
        let forwarded = headers("x-forwarded-for", "6.6.6.6, 10.1.1.1");
        assert_eq!(client_address(&forwarded, true), "10.1.1.1".parse().ok());
        assert_eq!(client_address(&forwarded, false), None);
    }
}
