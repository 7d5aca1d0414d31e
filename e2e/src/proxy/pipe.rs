//! The two directions of one connection, each byte held against what the link does just now.

use std::{
    io::{Error, ErrorKind, Result},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::sleep,
};

use super::{Link, Shared};

const BUFFER: usize = 16 * 1024;
/// A slow link passes a piece this often.
const BEAT: Duration = Duration::from_millis(50);
const BEATS: u32 = 20;

/// Until both ends have closed.
///
/// # Errors
/// The link cuts it, or one end breaks.
pub(super) async fn carry(client: &mut TcpStream, server: &mut TcpStream, shared: &Shared) -> Result<()> {
    let mut cuts = shared.cuts.subscribe();
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let muted = AtomicBool::new(false);
    let there = Direction { shared, muted: &muted, is_reply: false };
    let back = Direction { is_reply: true, ..there };
    tokio::select! {
        both = async { tokio::try_join!(there.pass(from_client, to_server), back.pass(from_server, to_client)) } => both.map(drop),
        _ = cuts.changed() => Err(cut()),
    }
}

#[derive(Clone, Copy)]
struct Direction<'a> {
    shared: &'a Shared,
    /// Whether the next reply is to be lost.
    muted: &'a AtomicBool,
    is_reply: bool,
}

impl Direction<'_> {
    async fn pass(self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<()> {
        let (mut buffer, mut seen) = (vec![0; BUFFER], 0);
        loop {
            let read = from.read(&mut buffer).await?;
            let link = self.moving().await;
            if read == 0 {
                return to.shutdown().await;
            }
            let piece = &buffer[..read];
            if !self.is_reply {
                self.shared.hold(piece).await;
            }
            self.lose(piece)?;
            match link {
                Link::Slow(rate) => trickle(&mut to, piece, rate).await?,
                Link::Delayed(time) => {
                    sleep(time).await;
                    to.write_all(piece).await?;
                }
                Link::CuttingReplies(limit) if self.is_reply => {
                    let left = usize::try_from(limit - seen).unwrap_or(usize::MAX).min(read);
                    to.write_all(&piece[..left]).await?;
                    seen += left as u64;
                    if seen == limit {
                        to.shutdown().await?;
                        return Err(cut());
                    }
                }
                _ => to.write_all(piece).await?,
            }
        }
    }

    /// Waits while the link hangs.
    async fn moving(&self) -> Link {
        let mut link = self.shared.link.subscribe();
        let moving = link.wait_for(|link| *link != Link::Hanging).await.map(|link| *link);
        moving.unwrap_or(Link::Open)
    }

    fn lose(&self, piece: &[u8]) -> Result<()> {
        if self.is_reply && self.muted.load(Ordering::Relaxed) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return Err(cut());
        }
        if !self.is_reply && self.shared.loses(piece) {
            self.muted.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

async fn trickle(to: &mut WriteHalf<'_>, piece: &[u8], rate: u32) -> Result<()> {
    for drop in piece.chunks(usize::try_from(rate / BEATS).unwrap_or(1).max(1)) {
        to.write_all(drop).await?;
        sleep(BEAT).await;
    }
    Ok(())
}

fn cut() -> Error {
    ErrorKind::ConnectionAborted.into()
}
