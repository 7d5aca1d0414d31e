//! A request's time on its connection: from its head to the last byte of its answer, reported to `Watch`.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Frame, SizeHint};

use super::watch::Watch;
use crate::body::{Body, BoxError, Slices};

/// A request that is being handled. Dropping it ends it: a client may leave at any time.
pub(super) struct Handling(Arc<Watch>);

impl Handling {
    pub(super) fn begin(watch: Arc<Watch>) -> Self {
        watch.request_began();
        Self(watch)
    }

    /// From here on the answer counts.
    pub(super) fn answer(self, body: Body) -> Sent {
        self.0.answer_began();
        // A client may be unwilling to take even the first frame, and then nobody asks for it.
        self.0.client_turn(0);
        Sent { body, watch: self.0.clone(), waiting: true }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.request_handled();
    }
}

/// The body of an answer.
pub(super) struct Sent {
    body: Body,
    watch: Arc<Watch>,
    /// Whether it has given a frame and has not been asked for the next one.
    waiting: bool,
}

impl Sent {
    fn our_turn(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.watch.our_turn();
        }
    }
}

impl http_body::Body for Sent {
    type Data = Slices;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Slices>, BoxError>>> {
        self.our_turn();
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.waiting = true;
            self.watch.client_turn(frame.data_ref().map_or(0, |data| data.len() as u64));
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

impl Drop for Sent {
    fn drop(&mut self) {
        self.our_turn();
        self.watch.answer_ended();
    }
}
