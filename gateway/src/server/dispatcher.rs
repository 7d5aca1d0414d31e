//! Sends what lies in memory and what lies in files, in order, over one TCP connection: `sendmsg` for the one, `sendfile` for
//! the other, so that a byte of a file is copied once, by the kernel.
//!
//! `sendfile` waits for the disk where a socket that is full does not, and would send what nobody has summed. So it is only asked
//! for what the file says is at hand; all else is first brought by a thread that may wait, and the connection is told when.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use metrics::Counter;
use reelgate_common::metric::HTTP_SENDFILE_BYTES;
use rustix::{
    fs::sendfile,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use tokio::{
    io::Interest,
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    body::{FilePart, Segment},
    tally::spread,
};

/// Of one connection.
pub(super) struct Dispatcher {
    bringing: Option<JoinHandle<io::Result<()>>>,
    /// What comes next was brought: it is not asked again whether it is there, else a machine without memory would ask for ever.
    brought: bool,
    /// Bytes of files.
    sent: Counter,
}

/// What `Dispatcher`s of one listener count.
pub(super) fn sent_from_files() -> Counter {
    spread(HTTP_SENDFILE_BYTES.counter())
}

impl Dispatcher {
    pub(super) fn new(sent: Counter) -> Self {
        Self { bringing: None, brought: false, sent }
    }

    /// As much as is taken at once. What then stops it is heard of the next time.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        socket: &TcpStream,
        segments: &[Segment<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        for (index, segment) in segments.iter().enumerate() {
            let more = index + 1 < segments.len();
            let (length, outcome) = match segment {
                Segment::Memory(slices) => (length(slices), poll_slices(cx, socket, slices, more)),
                Segment::File(part) => (part.len(), self.poll_file(cx, socket, part)),
            };
            match outcome {
                Poll::Ready(Ok(count)) if count == length => sent += count,
                Poll::Ready(Ok(count)) => return Poll::Ready(Ok(sent + count)),
                stopped if sent == 0 => return stopped,
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_file(&mut self, cx: &mut Context<'_>, socket: &TcpStream, part: &FilePart) -> Poll<io::Result<usize>> {
        loop {
            // A file is looked at only when there is room for some of it.
            ready!(socket.poll_write_ready(cx))?;
            ready!(self.poll_brought(cx, part))?;
            let mut from = part.bytes.start;
            let send = || Ok(sendfile(socket, part.file.descriptor(), Some(&mut from), part.len())?);
            match socket.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It is shorter than it was.
                Ok(0) => {
                    part.file.distrust(&part.bytes);
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                outcome => {
                    self.brought = false;
                    self.sent.increment(outcome.as_ref().map_or(0, |count| *count as u64));
                    return Poll::Ready(outcome);
                }
            }
        }
    }

    /// Until the part can be sent without waiting for the disk.
    fn poll_brought(&mut self, cx: &mut Context<'_>, part: &FilePart) -> Poll<io::Result<()>> {
        if self.bringing.is_none() && !self.brought && !part.file.is_at_hand(&part.bytes) {
            let (file, bytes) = (Arc::clone(&part.file), part.bytes.clone());
            self.bringing = Some(spawn_blocking(move || file.bring(&bytes)));
        }
        let Some(bringing) = &mut self.bringing else { return Poll::Ready(Ok(())) };
        let outcome = ready!(Pin::new(bringing).poll(cx));
        self.bringing = None;
        self.brought = true;
        Poll::Ready(outcome.map_err(io::Error::other).flatten())
    }
}

fn length(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).sum()
}

/// With `more` behind it, a head does not go in a packet of its own.
fn poll_slices(
    cx: &mut Context<'_>,
    socket: &TcpStream,
    slices: &[IoSlice<'_>],
    more: bool,
) -> Poll<io::Result<usize>> {
    let flags = SendFlags::NOSIGNAL | if more { SendFlags::MORE } else { SendFlags::empty() };
    loop {
        ready!(socket.poll_write_ready(cx))?;
        let send = || Ok(sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)?);
        match socket.try_io(Interest::WRITABLE, send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return Poll::Ready(outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        future::poll_fn,
        io::ErrorKind,
        ops::Range,
        os::fd::{AsFd, BorrowedFd},
        sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    };

    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpSocket},
    };

    use super::*;
    use crate::body::{KeptFile, file_of};

    /// Both ends of a connection that takes little at a time.
    async fn narrow() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        let far = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        let near = listener.accept().await.unwrap().0;
        rustix::net::sockopt::set_socket_send_buffer_size(&near, 4 << 10).unwrap();
        (near, far)
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 31 % 251) as u8).collect()
    }

    fn part(file: Arc<dyn KeptFile>, bytes: Range<u64>) -> Segment<'static> {
        Segment::File(FilePart { file, bytes })
    }

    /// Sends all of these, as hyper does: what is left is asked for again. Gives what came and how many steps it took.
    async fn sent(segments: &[Segment<'_>]) -> (io::Result<usize>, Vec<u8>) {
        let (near, mut far) = narrow().await;
        let sending = async move {
            let mut dispatcher = Dispatcher::new(Counter::noop());
            let (mut done, mut steps) = (0, 0);
            loop {
                let rest = rest(segments, done);
                if rest.is_empty() {
                    return Ok(steps);
                }
                done += poll_fn(|cx| dispatcher.poll_send(cx, &near, &rest)).await?;
                steps += 1;
            }
        };
        let mut got = Vec::new();
        let (steps, read) = tokio::join!(sending, far.read_to_end(&mut got));
        read.unwrap();
        (steps, got)
    }

    fn rest<'a>(segments: &'a [Segment<'a>], mut done: usize) -> Vec<Segment<'a>> {
        let mut rest = Vec::new();
        for segment in segments {
            let whole = match segment {
                Segment::Memory(slices) => length(slices),
                Segment::File(part) => part.len(),
            };
            let skip = done.min(whole);
            done -= skip;
            match segment {
                _ if skip == whole => {}
                // The heads of these tests are too short to be cut.
                Segment::Memory(slices) => rest.push(Segment::Memory(slices)),
                Segment::File(part) => {
                    let bytes = part.bytes.start + skip as u64..part.bytes.end;
                    rest.push(Segment::File(FilePart { bytes, ..part.clone() }));
                }
            }
        }
        rest
    }

    #[tokio::test]
    async fn memory_and_files_come_in_order_over_a_connection_that_takes_little() {
        let content = noise(700_000);
        let file = file_of(&content);
        let (head, middle) = ([IoSlice::new(b"he"), IoSlice::new(b"ad")], [IoSlice::new(b"--middle--")]);
        let segments = [
            Segment::Memory(&head),
            part(file.clone(), 100..400_000),
            Segment::Memory(&middle),
            part(file, 650_000..700_000),
        ];
        let (steps, got) = sent(&segments).await;
        let expected = [b"head", &content[100..400_000], b"--middle--", &content[650_000..]].concat();
        assert!(got == expected, "{} of {} bytes, or others", got.len(), expected.len());
        assert!(steps.unwrap() > 10, "it went at once: nothing was tried");
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_ends_the_connection() {
        let content = noise(100_000);
        let (steps, got) = sent(&[part(file_of(&content), 0..100_001)]).await;
        assert_eq!(steps.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(got == content, "{} bytes, or others", got.len());
    }

    /// A file that must be brought, and may turn out to be damaged.
    #[derive(Debug)]
    struct Away {
        file: File,
        damaged: bool,
        here: AtomicBool,
        brought: AtomicUsize,
    }

    impl KeptFile for Away {
        fn descriptor(&self) -> BorrowedFd<'_> {
            assert_eq!(self.brought.load(Relaxed), 1, "it is sent before it was brought");
            self.file.as_fd()
        }

        fn is_at_hand(&self, _bytes: &Range<u64>) -> bool {
            self.here.load(Relaxed)
        }

        fn distrust(&self, _bytes: &Range<u64>) {}

        fn bring(&self, _bytes: &Range<u64>) -> io::Result<()> {
            self.brought.fetch_add(1, Relaxed);
            self.here.store(true, Relaxed);
            if self.damaged { Err(ErrorKind::InvalidData.into()) } else { Ok(()) }
        }
    }

    fn away(content: &[u8], damaged: bool) -> Arc<Away> {
        let file = tempfile::tempfile().unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, content, 0).unwrap();
        Arc::new(Away { file, damaged, here: AtomicBool::new(false), brought: AtomicUsize::new(0) })
    }

    #[tokio::test]
    async fn what_is_not_at_hand_is_brought_first_and_once() {
        let content = noise(300_000);
        let file = away(&content, false);
        let head = [IoSlice::new(b"head")];
        let (steps, got) = sent(&[Segment::Memory(&head), part(file, 0..300_000)]).await;
        steps.unwrap();
        assert!(got == [b"head", &content[..]].concat());
    }

    #[tokio::test]
    async fn of_what_is_damaged_nothing_is_sent() {
        let file = away(&noise(1_000), true);
        let head = [IoSlice::new(b"head")];
        let (steps, got) = sent(&[Segment::Memory(&head), part(file, 0..1_000)]).await;
        assert_eq!((steps.unwrap_err().kind(), &got[..]), (ErrorKind::InvalidData, &b"head"[..]));
    }
}
