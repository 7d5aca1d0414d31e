//! One line and one set of figures per request, written when its last byte has gone or its client has. Never a query
//! string: tokens live there.

use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::{
    body::{Body, BoxError},
    respond::Response,
};

/// Who asked for what.
pub(crate) struct Subject {
    id: HeaderValue,
    client: IpAddr,
    method: Method,
    path: String,
    route: &'static str,
}

impl Subject {
    pub(crate) fn new(id: HeaderValue, client: IpAddr, method: &Method, path: &str, route: &'static str) -> Self {
        Self { id, client, method: method.clone(), path: path.to_owned(), route }
    }

    /// Methods are a client's text too; metrics take the known ones only.
    fn method_label(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            _ => "other",
        }
    }
}

pub(crate) struct AccessLog {
    subject: Subject,
    begun: Instant,
    status: u16,
    sent: u64,
    complete: bool,
}

impl AccessLog {
    pub(crate) fn begin(subject: Subject) -> Self {
        Self { subject, begun: Instant::now(), status: 0, sent: 0, complete: false }
    }

    /// Follows the body to its end.
    pub(crate) fn watch(mut self, response: Response) -> Response {
        self.status = response.status().as_u16();
        self.complete = response.body().is_end_stream() || self.subject.method == Method::HEAD;
        response.map(|body| Watched { body, log: self }.boxed_unsync())
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let Self { subject, status, sent, complete, .. } = self;
        let took = self.begun.elapsed();
        let labels = [
            ("route", subject.route.to_owned()),
            ("method", subject.method_label().to_owned()),
            ("status", status.to_string()),
        ];
        metrics::counter!("reelgate_http_requests_total", &labels).increment(1);
        metrics::counter!("reelgate_http_sent_bytes_total", "route" => subject.route).increment(*sent);
        metrics::histogram!("reelgate_http_request_seconds", "route" => subject.route).record(took.as_secs_f64());
        tracing::info!(
            request.id = subject.id.to_str().unwrap_or_default(),
            client = %subject.client,
            method = %subject.method,
            path = subject.path,
            route = subject.route,
            status = *status,
            size_bytes = *sent,
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            complete = *complete,
            "request answered"
        );
    }
}

struct Watched {
    body: Body,
    log: AccessLog,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.log.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.log.complete = self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::warn!(
                    error = &**error,
                    request.id = self.log.subject.id.to_str().unwrap_or_default(),
                    "an answer was cut"
                );
            }
            Poll::Ready(None) => self.log.complete = true,
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
