//! One connection that is kept alive: writes a request, notes when the first byte comes, reads to the end. A real client's
//! work, so bodies are copied out of the kernel; but into one buffer that all connections of a thread share.

use std::{cell::RefCell, future::poll_fn, io, pin::Pin, sync::Arc, task::ready, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use http::Uri;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use crate::figures::Sample;

/// Small enough to stay in the cache of a core.
const BUFFER: usize = 256 * 1024;
const LONGEST_HEAD: usize = 16 * 1024;

thread_local! {
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// Whom to ask for what.
pub(crate) struct Target {
    address: String,
    path: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| url.to_owned())?;
        let address = uri.authority().context("a url names a host")?.to_string();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { address, path })
    }
}

pub(crate) struct Connection {
    target: Arc<Target>,
    stream: TcpStream,
    head: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(target: Arc<Target>) -> Result<Self> {
        let stream = TcpStream::connect(&target.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { target, stream, head: Vec::new() })
    }

    pub(crate) async fn range(&mut self, start: u64, length: u64) -> Result<Sample> {
        let Target { address, path } = &*self.target;
        let end = start + length - 1;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: ranges\r\nRange: bytes={start}-{end}\r\n\r\n"
        );
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        self.head.clear();
        let mut first_byte = None;
        let in_head = loop {
            self.read_head().await?;
            first_byte.get_or_insert_with(|| begun.elapsed());
            if let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.head.len() < LONGEST_HEAD, "a head without an end");
        };
        let head = std::str::from_utf8(&self.head[..in_head])?;
        ensure!(head.starts_with("HTTP/1.1 206 ") && content_length(head) == Some(length), "no such range: {head}");
        let mut left = length - (self.head.len() - in_head) as u64;
        while left > 0 {
            left -= self.discard(left).await?;
        }
        let first_byte = first_byte.context("a head has a first byte")?;
        Ok(Sample { bytes: length, first_byte })
    }

    /// Some bytes of the head, and of the body whatever came with it.
    async fn read_head(&mut self) -> Result<()> {
        let Self { stream, head, .. } = self;
        let read = poll_fn(|cx| {
            SHARED.with_borrow_mut(|shared| {
                let mut buffer = ReadBuf::new(&mut shared[..LONGEST_HEAD]);
                ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
                head.extend_from_slice(buffer.filled());
                std::task::Poll::Ready(io::Result::Ok(buffer.filled().len()))
            })
        });
        match read.await? {
            0 => bail!("the server has closed the connection"),
            _ => Ok(()),
        }
    }

    /// At most `left` bytes, thrown away.
    async fn discard(&mut self, left: u64) -> Result<u64> {
        let most = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        let read = poll_fn(|cx| {
            SHARED.with_borrow_mut(|shared| {
                let mut buffer = ReadBuf::new(&mut shared[..most]);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
                std::task::Poll::Ready(io::Result::Ok(buffer.filled().len()))
            })
        });
        match read.await? {
            0 => bail!("the server has closed the connection"),
            read => Ok(read as u64),
        }
    }
}

fn content_length(head: &str) -> Option<u64> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::parse("http://127.0.0.1:80/v1/files/x?token=y").unwrap();
        assert_eq!((target.address.as_str(), target.path.as_str()), ("127.0.0.1:80", "/v1/files/x?token=y"));
    }

    #[test]
    fn the_length_is_found_however_it_is_written() {
        assert_eq!(content_length("HTTP/1.1 206 P\r\nContent-Length: 12\r\n"), Some(12));
        assert_eq!(content_length("HTTP/1.1 206 P\r\ncontent-length:12\r\n"), Some(12));
        assert_eq!(content_length("HTTP/1.1 206 P\r\n"), None);
    }
}
