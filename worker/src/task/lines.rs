//! Lines of bounded length from a source that is not trusted.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A probe of a source with the most streams that are looked at stays far below.
const MAX_LINE: usize = 1 << 20;

pub(crate) struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    /// Bytes of `buffer` known to hold no line end.
    seen: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), seen: 0 }
    }

    /// The next line without its end; nothing at the end. Half a line there is dropped: whoever wrote it died.
    /// May be cancelled without losing a byte.
    ///
    /// # Errors
    /// A line is too long, or reading fails.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.buffer[self.seen..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.seen + end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                self.seen = 0;
                return Ok(Some(line));
            }
            self.seen = self.buffer.len();
            if self.seen > MAX_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
            }
            if self.source.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_at_their_ends_and_half_a_line_is_dropped() {
        let mut lines = Lines::new(&b"one\n\ntwo\nhal"[..]);
        assert_eq!(lines.next().await.unwrap(), Some(b"one".to_vec()));
        assert_eq!(lines.next().await.unwrap(), Some(Vec::new()));
        assert_eq!(lines.next().await.unwrap(), Some(b"two".to_vec()));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused() {
        let mut lines = Lines::new(tokio::io::repeat(b'x'));
        assert!(lines.next().await.is_err());
    }
}
