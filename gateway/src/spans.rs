//! The span of a request, with the attributes that OpenTelemetry's conventions name for servers; but no path, no query and no address of
//! anybody: these are secrets, or text of others, or somebody's whereabouts.

use std::fmt;

use http::{Method, Request, Version};
use reelgate_common::{scope, traces};
use tracing::{Span, field::Empty};

use crate::{request_id::RequestId, route::Route};

/// `route`: nothing if there is no such route.
pub(crate) fn request<B>(request: &Request<B>, id: &RequestId, route: Option<&Route>) -> Span {
    let method = method(request.method());
    let template = route.map(Route::template);
    scope!(
        "request",
        otel.name = %Name(method, template),
        otel.kind = "server",
        request.id = id.as_str(),
        http.request.method = method,
        http.route = template,
        network.protocol.version = version(request.version()),
        http.response.status_code = Empty,
        http.response.body.size = Empty,
        reelgate.complete = Empty,
    )
}

/// What the span is called; put together only where somebody exports it.
struct Name(&'static str, Option<&'static str>);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        self.1.map_or(Ok(()), |template| write!(f, " {template}"))
    }
}

/// The last byte has gone, or its client has.
pub(crate) fn answered(span: &Span, status: u16, sent: u64, complete: bool) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", status);
    span.record("http.response.body.size", sent);
    span.record("reelgate.complete", complete);
    // A client's mistake is no failure of the server's.
    if status >= 500 {
        traces::failed(span, &status.to_string());
    }
}

/// A closed set: methods are a client's text too.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}
