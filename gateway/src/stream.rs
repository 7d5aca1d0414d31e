//! A slice of a `VirtualFile` as a body: its extents in order, objects read through the cache, `Bytes` handed out in frames of
//! at most 64 KiB that nobody copies. Dropping the body ends the reading. Knows no HTTP.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, Stream, future::BoxFuture};
use reelgate_common::{file::FileRecord, rendition::Role};
use tokio::time::Instant;

use self::objects::Objects;
use crate::{
    app::App,
    cache::{Cursor, ReadError, Tier},
    virtual_file::{Extent, VirtualFile},
};

mod objects;

/// Bytes given to hyper at once: what a slow client can pin.
const FRAME: usize = 64 * 1024;
/// How often a long response asks whether its file still is: deletion cuts it within 10 s (design section 4).
const LIFE_CHECK: Duration = Duration::from_secs(5);

/// What is wrong, shared by all who waited for the same bytes.
pub(crate) type StreamError = Arc<ReadError>;

/// A body, and where its first byte came from.
pub(crate) struct Opened {
    pub(crate) bytes: Reader,
    pub(crate) tier: Tier,
}

/// Opens `bytes`, which are of `whole`. Waits for the first piece of the first object, so that a missing object or a store
/// that is away can still be answered with a status.
///
/// # Errors
/// The first object cannot be read.
pub(crate) async fn open(
    app: Arc<App>,
    file: &FileRecord,
    attempt: i64,
    whole: &VirtualFile,
    bytes: VirtualFile,
) -> Result<Opened, StreamError> {
    let mut reader = Reader {
        objects: Arc::new(Objects::new(app, file, attempt, whole)),
        extents: bytes.into_extents().into(),
        cursors: Vec::new(),
        next_check: Instant::now() + LIFE_CHECK,
        checking: None,
    };
    let tier = poll_fn(|cx| reader.poll_first(cx)).await?;
    Ok(Opened { bytes: reader, tier })
}

pub(crate) struct Reader {
    objects: Arc<Objects>,
    /// Not yet sent; the first one is shortened as it is.
    extents: VecDeque<Extent>,
    /// One per object, in order of their first use.
    cursors: Vec<(Role, Cursor)>,
    next_check: Instant,
    checking: Option<BoxFuture<'static, Result<(), ReadError>>>,
}

impl Reader {
    /// Until the first piece of the first object is held.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Result<Tier, StreamError>> {
        let Some(first) = self.extents.iter().position(|extent| matches!(extent, Extent::Object { .. })) else {
            return Poll::Ready(Ok(Tier::Memory));
        };
        let Some(cursor) = ready!(self.poll_load(cx, first))? else { return Poll::Ready(Ok(Tier::Memory)) };
        Poll::Ready(Ok(self.cursors[cursor].1.tier().unwrap_or(Tier::Memory)))
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        ready!(self.poll_life(cx))?;
        let cursor = ready!(self.poll_load(cx, 0))?;
        let frame = match (self.extents.front_mut(), cursor) {
            (None, _) => return Poll::Ready(None),
            (Some(Extent::Inline(bytes)), _) => bytes.split_to(bytes.len().min(FRAME)),
            (Some(Extent::Object { role, range }), Some(cursor)) => {
                let frame = self.cursors[cursor].1.take(range, || self.objects.origin(role));
                range.start += frame.len() as u64;
                frame
            }
            (Some(Extent::Object { .. }), None) => return Poll::Ready(Some(Err(Arc::new(ReadError::Interrupted)))),
        };
        self.extents.pop_front_if(|extent| extent.length() == 0);
        Poll::Ready(Some(Ok(frame)))
    }

    /// Has the first byte of an extent held by a cursor; gives that cursor, or none for inline bytes.
    fn poll_load(&mut self, cx: &mut Context<'_>, index: usize) -> Poll<Result<Option<usize>, StreamError>> {
        let Some(Extent::Object { role, range }) = self.extents.get(index) else { return Poll::Ready(Ok(None)) };
        let place = self.cursors.iter().position(|(of, _)| of == role).unwrap_or_else(|| {
            self.cursors.push((role.clone(), self.objects.cursor(role)));
            self.cursors.len() - 1
        });
        let (objects, extents) = (&self.objects, &self.extents);
        let end = || objects.reach(role, extents.iter().skip(index));
        ready!(self.cursors[place].1.poll_load(cx, range.start, end, || objects.origin(role)))?;
        Poll::Ready(Ok(Some(place)))
    }

    /// While the database is away, what plays goes on.
    fn poll_life(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        if self.checking.is_none() {
            let now = Instant::now();
            if now < self.next_check {
                return Poll::Ready(Ok(()));
            }
            self.next_check = now + LIFE_CHECK;
            let objects = Arc::clone(&self.objects);
            self.checking = Some(async move { objects.refresh().await }.boxed());
        }
        let Some(checking) = &mut self.checking else { return Poll::Ready(Ok(())) };
        let outcome = ready!(checking.as_mut().poll(cx));
        self.checking = None;
        match outcome {
            Err(ReadError::Database(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a stream goes on unchecked");
                Poll::Ready(Ok(()))
            }
            outcome => Poll::Ready(outcome.map_err(Arc::new)),
        }
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_frame(cx)
    }
}
