//! A connection's bytes: gives back what sniffing has read, sends what only stands in for files, reports to `Watch` what comes and goes,
//! and closes so that the client gets all of it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{dispatcher::Dispatcher, linger::Linger, sniff::Sniffed, socket::Socket, watch::Watch};
use crate::body::{Outlet, Segment};

pub(super) struct Transport<S> {
    inner: S,
    sniffed: Sniffed,
    watch: Arc<Watch>,
    files: Option<(Outlet, Dispatcher)>,
    /// Once our side is closed.
    linger: Option<Linger>,
}

impl<S: Socket> Transport<S> {
    /// With an outlet it sends what its answers announce there.
    pub(super) fn new(inner: S, sniffed: Sniffed, watch: Arc<Watch>, files: Option<(Outlet, Dispatcher)>) -> Self {
        Self { inner, sniffed, watch, files, linger: None }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Some((outlet, dispatcher)) = &mut self.files else {
            return Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        };
        let segments = outlet.resolve(slices).map_err(io::Error::other)?;
        match &segments[..] {
            [] | [Segment::Memory(_)] => Pin::new(&mut self.inner).poll_write_vectored(cx, slices),
            segments => self.inner.poll_send(cx, segments, dispatcher),
        }
    }

    fn report(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(outcome) => self.watch.wrote(outcome.as_ref().map_or(0, |bytes| *bytes as u64)),
            Poll::Pending => self.watch.blocked(),
        }
        written
    }
}

impl<S: Socket> AsyncRead for Transport<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let rest = self.sniffed.rest();
        let given = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..given]);
        self.sniffed.advance(given);
        // And go on to what came with it: hyper doubles its buffer for a head that comes in two pieces, and keeps it so.
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before + given {
            self.watch.received();
        }
        if given > 0 { Poll::Ready(Ok(())) } else { read }
    }
}

impl<S: Socket> AsyncWrite for Transport<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.poll_send(cx, &[io::IoSlice::new(bytes)]);
        self.report(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.poll_send(cx, bytes);
        self.report(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// TLS keeps bytes back until it is flushed. A flush that had nothing to do proves nothing, so only waiting counts.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        if flushed.is_pending() {
            self.watch.blocked();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        }
        let linger = this.linger.get_or_insert_with(|| Linger::new(this.watch.last_sent()));
        linger.poll(cx, Pin::new(&mut this.inner)).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        time::{Instant, sleep},
    };

    use super::*;
    use crate::server::sniff::sniff;

    async fn transport(mut near: DuplexStream) -> Transport<DuplexStream> {
        let (protocol, sniffed) = sniff(&mut near).await.unwrap();
        Transport::new(near, sniffed, Arc::new(Watch::new(Instant::now(), protocol)), None)
    }

    #[tokio::test]
    async fn what_was_sniffed_comes_first_and_with_it_what_came_along() {
        let (near, mut far) = duplex(1_024);
        let head = b"GET /a/long/enough/path HTTP/1.1\r\nHost: a\r\n\r\n";
        far.write_all(head).await.unwrap();
        let mut transport = transport(near).await;
        let mut first = [0; 4];
        assert_eq!(transport.read(&mut first).await.unwrap(), 4);
        let mut second = [0; 1_024];
        let read = transport.read(&mut second).await.unwrap();
        assert_eq!([&first[..], &second[..read]].concat(), head);
        far.write_all(b"next").await.unwrap();
        assert_eq!(transport.read(&mut second).await.unwrap(), 4);
        drop(far);
        assert_eq!(transport.read(&mut second).await.unwrap(), 0);
    }
    #[tokio::test(start_paused = true)]
    async fn it_is_closed_when_its_client_has_closed_too() {
        let (near, mut far) = duplex(1_024);
        far.write_all(&[b'x'; 64]).await.unwrap();
        let mut transport = transport(near).await;
        let begun = Instant::now();
        let client = async {
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "our side is closed");
            assert!(begun.elapsed().is_zero(), "at once");
            sleep(Duration::from_secs(2)).await;
            drop(far);
        };
        let closed = async {
            transport.shutdown().await.unwrap();
            begun.elapsed()
        };
        let (closed, ()) = tokio::join!(closed, client);
        assert_eq!(closed.as_secs(), 2);
    }
}
