//! What a connection may be made of, and whether it can send parts of files that nobody has read.

use std::{
    io,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::dispatcher::Dispatcher;
use crate::body::Segment;

pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    const SENDS_FILES: bool = false;

    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }

    /// Writes some of these, in order. Asked of those alone that send files.
    fn poll_send(
        &self,
        _cx: &mut Context<'_>,
        _segments: &[Segment<'_>],
        _dispatcher: &mut Dispatcher,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl Socket for TcpStream {
    const SENDS_FILES: bool = true;

    fn prepare(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        segments: &[Segment<'_>],
        dispatcher: &mut Dispatcher,
    ) -> Poll<io::Result<usize>> {
        dispatcher.poll_send(cx, self, segments)
    }
}

/// What goes through TLS is encrypted here, so it is read here.
impl Socket for tokio_rustls::server::TlsStream<TcpStream> {}

#[cfg(test)]
impl Socket for tokio::io::DuplexStream {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_is_not_sent_from_files() {
        const { assert!(TcpStream::SENDS_FILES) };
        const { assert!(!<tokio_rustls::server::TlsStream<TcpStream> as Socket>::SENDS_FILES) };
    }
}
