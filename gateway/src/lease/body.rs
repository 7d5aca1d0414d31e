//! A body that is sent under a lease: it counts as one of its connections, says that the client is here whenever it takes
//! something, and ends when the lease is revoked. Expiry does not end it.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use reelgate_common::timestamp::Timestamp;

use super::{
    Leases,
    held::{Connection, Held},
};
use crate::{
    body::{Body, BoxError, Slices},
    error::ApiError,
};

#[derive(Debug, thiserror::Error)]
#[error("the playback lease was revoked")]
struct Revoked;

impl Leases {
    /// Takes one of a lease's connections.
    ///
    /// # Errors
    /// 429 when there are as many already as may be.
    pub(crate) fn connect(&self, held: &Arc<Held>) -> Result<Connection, ApiError> {
        held.connect(self.policy.connections)
    }

    /// Sends a body under a lease.
    #[must_use]
    pub(crate) fn send<B>(&self, body: B, connection: Connection) -> Body
    where
        B: http_body::Body<Data = Slices, Error = BoxError> + Send + Unpin + 'static,
    {
        Leased { body, connection, ahead: self.ahead.load(Ordering::Relaxed) }.boxed_unsync()
    }
}

struct Leased<B> {
    body: B,
    connection: Connection,
    /// How far the database's clock is before ours, in milliseconds.
    ahead: i64,
}

impl<B> http_body::Body for Leased<B>
where
    B: http_body::Body<Data = Slices, Error = BoxError> + Unpin,
{
    type Data = Slices;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Slices>, BoxError>>> {
        if self.connection.held().is_revoked() {
            return Poll::Ready(Some(Err(Revoked.into())));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = &frame {
            let now = Timestamp(Timestamp::now().0.saturating_add(self.ahead));
            self.connection.held().seen(now);
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
