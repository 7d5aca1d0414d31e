//! A slice of a `VirtualFile` as a body: its extents in order, objects read through the cache, slices of its pieces handed out
//! that nobody copies, as many at once as the client's `stride` warrants. Dropping the body ends the reading. Knows no HTTP.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use http_body::{Frame, SizeHint};
use reelgate_common::rendition::Role;
use smallvec::SmallVec;
use tokio::time::Instant;

use self::{
    origin::{RoleOrigin, refresh},
    stride::Stride,
};
use crate::{
    app::App,
    body::{BoxError, Outlet, Part, Slices},
    cache::{Cursor, Origin, ReadError, Tier},
    objects::Objects,
    virtual_file::{Extent, VirtualFile},
};

mod origin;
mod stride;

/// Inline bytes are cut by it too.
const SLICE: usize = 64 * 1024;
/// How often a long response asks whether its file still is: deletion cuts it within 10 s (design section 4).
const LIFE_CHECK: Duration = Duration::from_secs(5);
/// Extents of one object that lie closer than this are fetched as one run.
const NEAR: u64 = 1 << 20;

/// What is wrong, shared by all who waited for the same bytes.
pub(crate) type StreamError = Arc<ReadError>;

/// A body, and where its first byte came from.
pub(crate) struct Opened {
    pub(crate) bytes: Reader,
    pub(crate) tier: Tier,
}

/// Opens `bytes` of these objects. Waits for the first piece of the first object, so that a missing object or a store
/// that is away can still be answered with a status.
///
/// # Errors
/// The first object cannot be read.
pub(crate) async fn open(
    app: Arc<App>,
    objects: Arc<Objects>,
    bytes: VirtualFile,
    outlet: Option<Outlet>,
) -> Result<Opened, StreamError> {
    let mut reader = Reader::new(app, objects, bytes, outlet);
    let tier = poll_fn(|cx| reader.poll_first(cx)).await?;
    Ok(Opened { bytes: reader, tier })
}

/// The same if its first piece need not be waited for.
pub(crate) fn at_hand(
    app: &Arc<App>,
    objects: &Arc<Objects>,
    bytes: VirtualFile,
    outlet: Option<Outlet>,
) -> Option<Opened> {
    let mut reader = Reader::new(app.clone(), objects.clone(), bytes, outlet);
    let tier = reader.first_at_once()?;
    Some(Opened { bytes: reader, tier })
}

/// Where a slice comes from.
struct Source {
    /// None for inline bytes.
    cursor: Option<usize>,
    /// Whether memory is held as long as the client takes.
    pins: bool,
}

pub(crate) struct Reader {
    app: Arc<App>,
    objects: Arc<Objects>,
    /// Not yet sent; the first one is shortened as it is.
    extents: VecDeque<Extent>,
    /// Bytes of them.
    left: u64,
    /// One per object, by its position, in order of their first use.
    cursors: SmallVec<[(usize, Cursor); 1]>,
    stride: Stride,
    /// Where parts of files may go.
    outlet: Option<Outlet>,
    next_check: Instant,
    checking: Option<BoxFuture<'static, Result<(), ReadError>>>,
}

impl Reader {
    fn new(app: Arc<App>, objects: Arc<Objects>, bytes: VirtualFile, outlet: Option<Outlet>) -> Self {
        Self {
            left: bytes.length(),
            extents: bytes.into_extents().into(),
            cursors: SmallVec::new(),
            stride: Stride::default(),
            outlet,
            next_check: Instant::now() + LIFE_CHECK,
            checking: None,
            app,
            objects,
        }
    }

    /// Where the first byte is, if it need not be waited for.
    fn first_at_once(&mut self) -> Option<Tier> {
        let Some(Extent::Object { role, range }) = self.extents.front() else { return Some(Tier::Memory) };
        let (at, position) = (range.start, self.objects.position(role)?);
        let place = self.cursor(position);
        let cursor = &mut self.cursors[place].1;
        let found = cursor.load_at_once(at, || origin(&self.app, &self.objects, position));
        found.then(|| cursor.tier().unwrap_or(Tier::Memory))
    }

    /// The place of an object's cursor.
    fn cursor(&mut self, position: usize) -> usize {
        self.cursors.iter().position(|(of, _)| *of == position).unwrap_or_else(|| {
            let known = self.objects.known(position);
            self.cursors
                .push((position, self.app.cache.cursor(known.object.clone(), known.length, self.outlet.is_some())));
            self.cursors.len() - 1
        })
    }

    /// Until the first piece of the first object is held.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Result<Tier, StreamError>> {
        let Some(first) = self.extents.iter().position(|extent| matches!(extent, Extent::Object { .. })) else {
            return Poll::Ready(Ok(Tier::Memory));
        };
        let Some(cursor) = ready!(self.poll_load(cx, first))? else { return Poll::Ready(Ok(Tier::Memory)) };
        Poll::Ready(Ok(self.cursors[cursor].1.tier().unwrap_or(Tier::Memory)))
    }

    /// At least one slice; more only of what is there already. An error behind them comes again with the next frame.
    fn poll_slices(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Slices, StreamError>>> {
        let now = Instant::now();
        ready!(self.poll_life(cx, now))?;
        let Some(mut source) = ready!(self.poll_source(cx))? else { return Poll::Ready(None) };
        let pins = source.pins;
        let allowance = if pins { self.app.cache.long_frames() } else { self.app.cache.unpinned_frames() };
        let (most, claim) = self.stride.next(now, self.left, allowance);
        let mut slices = Slices::default();
        loop {
            self.take(&source, most.saturating_sub(slices.len()), &mut slices);
            if slices.len() >= most {
                break;
            }
            // Only now: what is looked for is held, and a client that takes its time would pin one piece more.
            source = match self.poll_source(cx) {
                // What is pinned must be claimed.
                Poll::Ready(Ok(Some(source))) if pins || !source.pins => source,
                _ => break,
            };
        }
        slices.covered_by(claim);
        Poll::Ready(Some(Ok(slices)))
    }

    /// Where the next slice comes from, once it is there.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Source>, StreamError>> {
        if self.extents.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let cursor = ready!(self.poll_load(cx, 0))?;
        let pins = cursor.is_none_or(|cursor| !self.cursors[cursor].1.holds_file());
        Poll::Ready(Ok(Some(Source { cursor, pins })))
    }

    /// A slice of memory, or up to `room` of a file, but no less than a slice.
    fn take(&mut self, source: &Source, room: usize, slices: &mut Slices) {
        let before = slices.len();
        match (self.extents.front_mut(), source.cursor) {
            (Some(Extent::Inline(bytes)), _) => slices.push(bytes.split_to(bytes.len().min(SLICE))),
            (Some(Extent::Object { range, .. }), Some(cursor)) => {
                let (position, cursor) = &mut self.cursors[cursor];
                let end = range.end.min(range.start + room.max(SLICE) as u64);
                match (cursor.take(&(range.start..end), || origin(&self.app, &self.objects, *position)), &self.outlet) {
                    (Part::Memory(bytes), _) => slices.push(bytes),
                    (Part::File(part), Some(outlet)) => slices.push_file(outlet, part),
                    (Part::File(_), None) => unreachable!("a cursor holds files only where they may be sent"),
                }
                range.start += (slices.len() - before) as u64;
            }
            (None | Some(Extent::Object { .. }), _) => {}
        }
        self.left -= (slices.len() - before) as u64;
        self.extents.pop_front_if(|extent| extent.length() == 0);
    }

    /// Has the first byte of an extent held by a cursor; gives that cursor, or none for inline bytes.
    fn poll_load(&mut self, cx: &mut Context<'_>, index: usize) -> Poll<Result<Option<usize>, StreamError>> {
        let Some(Extent::Object { role, range }) = self.extents.get(index) else { return Poll::Ready(Ok(None)) };
        let at = range.start;
        let Some(position) = self.objects.position(role) else {
            return Poll::Ready(Err(Arc::new(ReadError::Interrupted)));
        };
        let place = self.cursor(position);
        let (app, objects, extents) = (&self.app, &self.objects, &self.extents);
        let role = &objects.known(position).role;
        let end = || reach(role, extents.iter().skip(index));
        ready!(self.cursors[place].1.poll_load(cx, at, end, || origin(app, objects, position)))?;
        Poll::Ready(Ok(Some(place)))
    }

    /// While the database is away, what plays goes on.
    fn poll_life(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<(), StreamError>> {
        if self.checking.is_none() {
            if now < self.next_check {
                return Poll::Ready(Ok(()));
            }
            self.next_check = now + LIFE_CHECK;
            let (app, objects) = (Arc::clone(&self.app), Arc::clone(&self.objects));
            self.checking = Some(async move { refresh(&app, &objects).await }.boxed());
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

fn origin(app: &Arc<App>, objects: &Arc<Objects>, position: usize) -> Arc<dyn Origin> {
    Arc::new(RoleOrigin { app: Arc::clone(app), objects: Arc::clone(objects), position })
}

/// How far the response reads an object without a wide gap, from the first of these extents on, which is of it.
fn reach<'a>(role: &Role, extents: impl Iterator<Item = &'a Extent>) -> u64 {
    let mut reach = None;
    for extent in extents {
        let Extent::Object { role: of, range } = extent else { continue };
        let end = reach.unwrap_or(range.start);
        if of != role {
            continue;
        }
        if range.start < end || range.start - end > NEAR {
            break;
        }
        reach = Some(range.end);
    }
    reach.unwrap_or(0)
}

impl http_body::Body for Reader {
    type Data = Slices;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Slices>, BoxError>>> {
        let slices = ready!(self.get_mut().poll_slices(cx));
        Poll::Ready(slices.map(|slices| slices.map(Frame::data).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.extents.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
