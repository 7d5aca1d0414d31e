//! Bodies: one alias for what is sent, with its constructors, and one type for what is received. Nothing is copied here.
//!
//! A request body that a handler drops unread is read on and thrown away for a moment, so that a client which is still
//! sending sees the answer instead of a broken pipe.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep, timeout};

mod outlet;
mod part;
mod slices;

#[cfg(test)]
pub(crate) use self::part::tests::file_of;
pub use self::slices::Slices;
pub(crate) use self::{
    outlet::{Outlet, Segment},
    part::{FilePart, KeptFile, Part},
    slices::{Allowance, Claim},
};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is sent. An error in it cuts the connection: the head has gone already.
pub type Body = UnsyncBoxBody<Slices, BoxError>;

#[must_use]
pub fn empty() -> Body {
    Empty::<Slices>::new().map_err(never).boxed_unsync()
}

#[must_use]
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(Slices::from(bytes.into())).map_err(never).boxed_unsync()
}

fn never(error: Infallible) -> BoxError {
    match error {}
}

/// How long and how much of an unread body is thrown away before the connection is closed.
const DISCARD_TIME: Duration = Duration::from_secs(2);
const DISCARD_BYTES: u64 = 64 << 20;
/// The same of a client that can tell what to do without the answer.
const DISCARD_LITTLE: u64 = 256 << 10;

#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    #[error("the client sent nothing for {0:?}")]
    Stalled(Duration),
    #[error("the client ended the transfer early")]
    Cut(#[source] BoxError),
}

/// What is received. Ends with `Stalled` when nothing comes for `idle`.
pub struct RequestBody {
    inner: Option<UnsyncBoxBody<Bytes, BoxError>>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// The client waits for `100 Continue`, which hyper sends at the first poll.
    waits_for_continue: bool,
    /// As much is thrown away of what is left unread.
    discards: u64,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, idle: Duration, expects_continue: bool) -> Self {
        let inner = Some(incoming.map_err(Into::into).boxed_unsync());
        Self { inner, idle, timer: None, waits_for_continue: expects_continue, discards: DISCARD_BYTES }
    }

    /// One with nothing in it.
    pub(crate) fn none() -> Self {
        Self { inner: None, idle: Duration::ZERO, timer: None, waits_for_continue: false, discards: DISCARD_BYTES }
    }

    /// Whoever sends it finds out by itself what went wrong: hardly anything is read on, for all of it would be sent again.
    pub(crate) fn discard_little(&mut self) {
        self.discards = DISCARD_LITTLE;
    }

    /// The longest silence that is borne.
    pub(crate) fn idle(&self) -> Duration {
        self.idle
    }

    /// A body from chunks, for tests.
    #[cfg(test)]
    pub(crate) fn of(chunks: Vec<Bytes>) -> Self {
        Self::dripping(chunks, Duration::ZERO)
    }

    /// The same, each so long after the one before.
    #[cfg(test)]
    pub(crate) fn dripping(chunks: Vec<Bytes>, pause: Duration) -> Self {
        let chunks = futures_util::StreamExt::then(futures_util::stream::iter(chunks), move |chunk| async move {
            sleep(pause).await;
            Ok(Frame::data(chunk))
        });
        let inner = http_body_util::StreamBody::new(chunks).boxed_unsync();
        let idle = Duration::from_secs(60);
        Self { inner: Some(inner), idle, timer: None, waits_for_continue: false, discards: DISCARD_BYTES }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle = self.idle;
        self.timer.get_or_insert_with(|| Box::pin(sleep(idle))).as_mut().poll(cx)
    }

    fn moved(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.as_mut().reset(Instant::now() + self.idle);
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = &mut *self;
        this.waits_for_continue = false;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) else {
            ready!(this.poll_idle(cx));
            this.inner = None;
            return Poll::Ready(Some(Err(RequestBodyError::Stalled(this.idle))));
        };
        this.moved();
        if !matches!(frame, Some(Ok(_))) {
            this.inner = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Cut)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(rest) = self.inner.take() else { return };
        // Without its 100 the client has not begun to send, and polling would send it.
        if self.waits_for_continue || rest.is_end_stream() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(timeout(DISCARD_TIME, discard(rest, self.discards)));
        }
    }
}

/// Reads on while hyper writes the answer; dropping `rest` at the end makes hyper close the connection.
async fn discard(mut rest: UnsyncBoxBody<Bytes, BoxError>, most: u64) {
    let mut seen = 0;
    while let Some(Ok(frame)) = rest.frame().await {
        seen += frame.data_ref().map_or(0, |data| data.len() as u64);
        if seen > most {
            return;
        }
    }
}
