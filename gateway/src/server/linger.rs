//! The end of a connection from our side. A socket that is closed while the client still says something (HTTP/2's windows, the rest of an
//! upload that was refused) is answered for by the kernel, with a reset, and a client that meets one drops what it has not read yet: the
//! end of an answer. So what comes is thrown away for a while, until the client has closed its side, too.
//! Bounded in time and in bytes: what is said in passing is heard, a body that nobody wants is not.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// How long a client may be silent: as long as nginx waits (`lingering_timeout`), and as long in all (`lingering_time`).
const SILENCE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);
/// Bytes that are thrown away at most: windows and pings of HTTP/2 are few, and whoever goes on with a body or a flood is not waited for.
const MOST: usize = 256 * 1024;
const AT_ONCE: usize = 4 * 1024;

pub(super) struct Linger {
    until: Pin<Box<Sleep>>,
    longest: Instant,
    left: usize,
}

impl Linger {
    /// Of a client that was last sent something at `sent`: who has long had everything is not waited for.
    pub(super) fn new(sent: Instant) -> Self {
        Self { until: Box::pin(sleep_until(sent + SILENCE)), longest: Instant::now() + LONGEST, left: MOST }
    }

    /// Ready when the client has closed its side, or has had its time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut client: Pin<&mut impl AsyncRead>) -> Poll<()> {
        let mut room = [0; AT_ONCE];
        loop {
            if self.until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut room);
            let read = ready!(client.as_mut().poll_read(cx, &mut buf));
            self.left = self.left.saturating_sub(buf.filled().len());
            if read.is_err() || buf.filled().is_empty() || self.left == 0 {
                return Poll::Ready(());
            }
            self.until.as_mut().reset(self.longest.min(Instant::now() + SILENCE));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin};

    use tokio::{
        io::{AsyncWriteExt, duplex},
        time::{advance, sleep},
    };

    use super::*;

    async fn linger(sent: Instant, client: impl AsyncRead) -> Duration {
        let (mut linger, mut client, begun) = (Linger::new(sent), pin!(client), Instant::now());
        poll_fn(|cx| linger.poll(cx, client.as_mut())).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_the_client_has_closed() {
        let (near, mut far) = duplex(64);
        let client = async {
            for _ in 0..3 {
                sleep(SILENCE / 2).await;
                far.write_all(&[0; 1_000]).await.unwrap();
            }
            drop(far);
        };
        let (took, ()) = tokio::join!(linger(Instant::now(), near), client);
        assert_eq!(took.as_secs(), (SILENCE / 2 * 3).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_has_its_time_from_what_it_was_sent_last() {
        let sent = Instant::now();
        let (near, _far) = duplex(64);
        advance(SILENCE / 2).await;
        assert_eq!(linger(sent, near).await.as_secs(), (SILENCE / 2).as_secs());
        let (near, _far) = duplex(64);
        assert!(linger(sent, near).await.is_zero(), "it has long had everything");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_talks_on_has_its_time_as_well() {
        let (near, mut far) = duplex(64);
        let client = async {
            while far.write_all(&[0]).await.is_ok() {
                sleep(SILENCE / 5).await;
            }
        };
        let took = tokio::select! {
            took = linger(Instant::now(), near) => took,
            () = client => panic!("the client closes nothing"),
        };
        assert_eq!(took.as_secs(), LONGEST.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_not_waited_for() {
        let (near, mut far) = duplex(AT_ONCE);
        let mut sent = 0;
        let flood = async {
            while far.write_all(&[0; AT_ONCE]).await.is_ok() {
                sent += AT_ONCE;
            }
        };
        let (took, ()) = tokio::join!(linger(Instant::now(), near), flood);
        assert!(took.is_zero() && (MOST..=MOST + 2 * AT_ONCE).contains(&sent), "{sent} within {took:?}");
    }
}
