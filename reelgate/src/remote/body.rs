//! The body of an upload: a form with one file, or the rest of one, read from disk as it is sent, whose progress is told.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use indicatif::ProgressBar;
use tokio::io::{AsyncRead, ReadBuf};

/// Read at a time.
const CHUNK: usize = 256 << 10;

pub(super) struct Content {
    head: Option<Bytes>,
    file: tokio::fs::File,
    /// Bytes of the file that are still to come.
    left: u64,
    tail: Option<Bytes>,
    buffer: Box<[u8]>,
    bar: ProgressBar,
}

/// Ends the parts of a form; made up anew for each.
pub(super) struct Boundary(String);

impl Boundary {
    pub(super) fn new() -> Self {
        Self(format!("reelgate-{}", uuid::Uuid::new_v4().simple()))
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.0)
    }
}

impl Content {
    /// The first `size` bytes of `file` under a name; `bar` tells how many have gone.
    pub(super) fn new(boundary: &Boundary, name: &str, (file, size): (tokio::fs::File, u64), bar: ProgressBar) -> Self {
        let Boundary(boundary) = boundary;
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            quoted(name)
        );
        Self {
            head: Some(head.into()),
            file,
            left: size,
            tail: Some(format!("\r\n--{boundary}--\r\n").into()),
            buffer: vec![0; CHUNK].into(),
            bar,
        }
    }

    /// The next `left` bytes of `file`, and nothing around them.
    pub(super) fn rest(file: tokio::fs::File, left: u64, bar: ProgressBar) -> Self {
        Self { head: None, file, left, tail: None, buffer: vec![0; CHUNK].into(), bar }
    }

    fn poll_file(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let room = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut buffer = ReadBuf::new(&mut self.buffer[..room]);
        ready!(Pin::new(&mut self.file).poll_read(cx, &mut buffer))?;
        let read = Bytes::copy_from_slice(buffer.filled());
        if read.is_empty() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")));
        }
        self.left -= read.len() as u64;
        self.bar.inc(read.len() as u64);
        Poll::Ready(Ok(read))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        if self.left > 0 {
            return Poll::Ready(Some(ready!(self.poll_file(cx)).map(Frame::data)));
        }
        Poll::Ready(self.tail.take().map(|tail| Ok(Frame::data(tail))))
    }

    fn size_hint(&self) -> SizeHint {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, |part| part.len() as u64);
        SizeHint::with_exact(length(&self.head) + self.left + length(&self.tail))
    }
}

/// As browsers write names of files in forms.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn content(size: u64) -> Content {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"hello").unwrap();
        let file = tokio::fs::File::open(file.path()).await.unwrap();
        Content::new(&Boundary("b".to_owned()), "a\"\r\n.mp4", (file, size), ProgressBar::hidden())
    }

    #[tokio::test]
    async fn a_file_becomes_a_form_of_the_length_that_was_said() {
        let content = content(5).await;
        let (length, bar) = (content.size_hint().exact(), content.bar.clone());
        let sent = content.collect().await.unwrap().to_bytes();
        assert_eq!((length, bar.position()), (Some(sent.len() as u64), 5));
        let text = std::str::from_utf8(&sent).unwrap();
        assert!(
            text.starts_with("--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a%22%0D%0A.mp4\"\r\n")
        );
        assert!(text.ends_with("\r\n\r\nhello\r\n--b--\r\n"));
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_is_an_error() {
        assert!(content(6).await.collect().await.is_err());
    }
}
