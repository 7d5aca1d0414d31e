//! Which protocol a connection speaks: HTTP/2 begins with a preface (RFC 9113 section 3.4), all else is HTTP/1. Our own,
//! for hyper-util's builder that does the same costs 8 KiB of memory per idle connection and has no limit of time.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The bytes that were read to find out; the protocol wants them too.
#[derive(Debug, Default)]
pub(super) struct Sniffed {
    bytes: [u8; PREFACE.len()],
    length: u8,
    given: u8,
}

impl Sniffed {
    fn all(&self) -> &[u8] {
        &self.bytes[..self.length.into()]
    }

    /// What has not been given on yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.given.into()..self.length.into()]
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.given += u8::try_from(count).expect("no more than `rest`");
    }
}

/// Reads until it is clear.
///
/// # Errors
/// The client left without a byte, or the connection broke.
pub(super) async fn sniff<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(Protocol, Sniffed)> {
    let mut sniffed = Sniffed::default();
    loop {
        let read = stream.read(&mut sniffed.bytes[sniffed.length.into()..]).await?;
        if read == 0 && sniffed.length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sniffed.length += u8::try_from(read).expect("no more than the preface");
        if sniffed.all() == PREFACE {
            return Ok((Protocol::Http2, sniffed));
        }
        if read == 0 || !PREFACE.starts_with(sniffed.all()) {
            return Ok((Protocol::Http1, sniffed));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_test_bytes::sniffed;

    use super::*;

    /// Bytes that arrive one by one, or all at once.
    mod tokio_test_bytes {
        use tokio::io::AsyncWriteExt;

        use super::*;

        pub(super) async fn sniffed(bytes: &[u8], at_once: bool) -> io::Result<(Protocol, Vec<u8>)> {
            let (mut near, mut far) = tokio::io::duplex(if at_once { 1_024 } else { 1 });
            let bytes = bytes.to_vec();
            tokio::spawn(async move {
                let _ = far.write_all(&bytes).await;
            });
            sniff(&mut near).await.map(|(protocol, sniffed)| (protocol, sniffed.rest().to_vec()))
        }
    }

    #[tokio::test]
    async fn only_the_whole_preface_is_http2() {
        for at_once in [true, false] {
            assert_eq!(sniffed(PREFACE, at_once).await.unwrap(), (Protocol::Http2, PREFACE.to_vec()));
            for other in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"P", b"POST /", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", b"\0"] {
                let (protocol, read) = sniffed(other, at_once).await.unwrap();
                assert_eq!(protocol, Protocol::Http1, "{other:?}");
                assert!(other.starts_with(&read), "nothing is lost: {read:?} of {other:?}");
            }
        }
    }

    #[tokio::test]
    async fn nothing_more_than_the_preface_is_read() {
        let sent = [PREFACE, &b"\0\0\0\x04\0\0\0\0\0"[..]].concat();
        assert_eq!(sniffed(&sent, true).await.unwrap().1, PREFACE);
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_and_leaves_has_no_protocol() {
        assert!(sniffed(b"", true).await.is_err());
    }
}
