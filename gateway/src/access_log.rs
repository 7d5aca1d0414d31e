//! One line and one set of figures per request, written when its last byte has gone or its client has. Never a query
//! string: tokens live there.

use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use http::{Method, Uri, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tracing::{Level, Span, enabled};

use crate::{
    body::{Body, BoxError, Slices},
    request_id::RequestId,
    respond::Response,
    route::loggable,
    spans,
};

mod figures;

/// Who asked for what.
pub(crate) struct Subject {
    id: RequestId,
    client: IpAddr,
    method: Method,
    /// Whole, if requests are logged; what is logged of it is decided then.
    uri: Option<Uri>,
    route: &'static str,
    /// The request's, which ends with its last byte.
    span: Span,
}

impl Subject {
    pub(crate) fn new(id: RequestId, client: IpAddr, method: &Method, uri: &Uri, route: &'static str) -> Self {
        // It shares the memory of the request's head, and sharing is counted.
        let uri = enabled!(Level::INFO).then(|| uri.clone());
        Self { id, client, method: method.clone(), uri, route, span: Span::none() }
    }

    pub(crate) fn within(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// Methods are a client's text too; metrics take the known ones only.
    fn method_label(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::DELETE => "DELETE",
            Method::PATCH => "PATCH",
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
    /// What `Content-Length` says: hyper asks no further than that, so no body that says it is seen to end.
    promised: Option<u64>,
    complete: bool,
}

impl AccessLog {
    pub(crate) fn begin(subject: Subject, begun: Instant) -> Self {
        Self { subject, begun, status: 0, sent: 0, promised: None, complete: false }
    }

    /// Follows the body to its end.
    pub(crate) fn watch(mut self, response: Response) -> Response {
        self.notice(&response);
        response.map(|body| Watched { body, log: self }.boxed_unsync())
    }

    fn notice(&mut self, response: &Response) {
        self.status = response.status().as_u16();
        self.complete = response.body().is_end_stream() || self.subject.method == Method::HEAD;
        let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        self.promised = length.and_then(|length| length.parse().ok());
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let Self { subject, status, sent, complete, .. } = self;
        let took = self.begun.elapsed();
        figures::count(subject.route, subject.method_label(), *status, *sent, took);
        spans::answered(&subject.span, *status, *sent, *complete);
        let _within = subject.span.enter();
        tracing::info!(
            request.id = subject.id.as_str(),
            client = %subject.client,
            method = %subject.method,
            path = subject.uri.as_ref().map(|uri| loggable(uri.path())).as_deref(),
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
    type Data = Slices;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Slices>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                let sent = self.log.sent + frame.data_ref().map_or(0, |data| data.len() as u64);
                self.log.sent = sent;
                self.log.complete = self.log.promised == Some(sent) || self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::warn!(error = &**error, request.id = self.log.subject.id.as_str(), "an answer was cut");
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;
    use http::{HeaderMap, HeaderValue};
    use http_body_util::StreamBody;

    use super::*;

    /// A log of an answer of six bytes of which a client has taken so many frames of two.
    async fn taken(frames: usize) -> AccessLog {
        let subject = Subject::new(
            RequestId::of(&HeaderMap::new(), false),
            [127, 0, 0, 1].into(),
            &Method::GET,
            &Uri::default(),
            "page",
        );
        let frame = || Frame::data(Slices::from(Bytes::from_static(b"ab")));
        let chunks = stream::iter((0..3).map(move |_| Ok(frame())));
        let mut response = Response::new(StreamBody::new(chunks).boxed_unsync());
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("6"));
        let mut log = AccessLog::begin(subject, Instant::now());
        log.notice(&response);
        let mut watched = Watched { body: response.into_body(), log };
        for _ in 0..frames {
            watched.frame().await.unwrap().unwrap();
        }
        watched.log
    }

    #[tokio::test]
    async fn an_answer_is_complete_when_all_that_was_promised_has_gone() {
        assert!(taken(3).await.complete, "hyper does not ask for the end of such a body");
        assert!(!taken(2).await.complete);
    }
}
