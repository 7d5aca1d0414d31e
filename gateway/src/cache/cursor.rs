//! Reading one object for one response: pieces out of memory, waiting for those on their way, read-ahead. Holds at most
//! the piece that is being taken.

use std::{
    cell::Cell,
    future::Future,
    ops::Range,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};

use super::{
    Cache, Shared,
    disk::AtHand,
    error::ReadError,
    fetch,
    flights::{Arrival, Passage, Ticket},
    object::{Object, PieceRef},
    origin::{Origin, Tier},
    pool::PIECE,
    read_ahead::{Bounds, ReadAhead},
    run::run,
};
use crate::body::Part;

mod sequel;

pub(crate) struct Cursor {
    cache: Arc<Shared>,
    /// Shared with nobody but who reads for the same representation: a count that all cores change costs more than the copy.
    object: Arc<Object>,
    /// The object is known to go so far.
    limit: u64,
    /// The response takes no byte from here on, as far as is known.
    end: u64,
    /// The piece that is being taken, and where it begins.
    piece: Option<(u64, Part)>,
    /// Whether it may be a part of a file, unread.
    takes_files: bool,
    waiting: Option<(u64, oneshot::Receiver<Arrival>)>,
    tickets: Vec<Ticket>,
    ahead: ReadAhead,
    /// In which it is.
    block: Option<u64>,
    begun: Option<Instant>,
    first: Option<Tier>,
    /// Pieces found in memory, counted where nobody else counts.
    hits: u64,
    /// Whether it counts as a reader, which it does from its first miss on.
    counted: Cell<bool>,
}

impl Cache {
    /// Reads `object`, of which the bytes up to `limit` are known to exist. With `takes_files` some of it may stay unread where
    /// it lies on disk.
    pub(crate) fn cursor(&self, object: impl Into<Arc<Object>>, limit: u64, takes_files: bool) -> Cursor {
        Cursor {
            cache: Arc::clone(&self.shared),
            object: object.into(),
            limit,
            end: 0,
            piece: None,
            takes_files,
            waiting: None,
            tickets: Vec::new(),
            ahead: ReadAhead::default(),
            block: None,
            begun: None,
            first: None,
            hits: 0,
            counted: Cell::new(false),
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if self.counted.get() {
            self.cache.readers.fetch_sub(1, Ordering::Relaxed);
        }
        self.cache.figures.hits.increment(self.hits);
    }
}

impl Cursor {
    /// Where the first piece was found.
    pub(crate) fn tier(&self) -> Option<Tier> {
        self.first
    }

    /// Waits until the byte at `at` is held. `end`, beyond `at`, is where the response stops reading; `origin` is asked for
    /// only when something must be fetched.
    pub(crate) fn poll_load(
        &mut self,
        cx: &mut Context<'_>,
        at: u64,
        end: impl Fn() -> u64,
        origin: impl Fn() -> Arc<dyn Origin>,
    ) -> Poll<Result<(), Arc<ReadError>>> {
        while !self.holds(at) {
            if let Some((start, arrival)) = &mut self.waiting {
                let start = *start;
                let arrived = ready!(Pin::new(arrival).poll(cx));
                self.waiting = None;
                let (bytes, tier) = arrived.unwrap_or_else(|_| Err(Arc::new(ReadError::Interrupted)))?;
                self.first.get_or_insert(tier);
                self.piece = Some((start, bytes.into()));
            } else {
                let next = self.come_to(at);
                if !self.find_in_file(at) && !self.find(at) && !self.find_on_disk(at) {
                    self.end = end();
                    self.fetch(at, &origin);
                }
                if let Some(next) = next {
                    self.fetch_block(next, &origin);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// As `poll_load`, but only if nothing must be waited for: whether the byte at `at` is held now.
    pub(crate) fn load_at_once(&mut self, at: u64, origin: impl Fn() -> Arc<dyn Origin>) -> bool {
        let next = self.come_to(at);
        let found = self.find_in_file(at) || self.find(at) || self.find_on_disk(at);
        if let Some(next) = next {
            self.fetch_block(next, &origin);
        }
        found
    }

    /// The bytes of `range` as far as the held piece has them: at least the first, which was loaded.
    pub(crate) fn take(&mut self, range: &Range<u64>, origin: impl Fn() -> Arc<dyn Origin>) -> Part {
        let Some((start, piece)) = self.piece.take() else { return Bytes::new().into() };
        let length = piece.len() as u64;
        let (from, to) = ((range.start - start).min(length), (range.end - start).min(length));
        let index = |at| usize::try_from(at).expect("a piece fits into memory");
        let wanted = index(from)..index(to);
        // A copy only of what is wanted further: copies are counted, by all who have one.
        let bytes = if to < length {
            let bytes = piece.slice(wanted);
            self.piece = Some((start, piece));
            bytes
        } else {
            piece.into_slice(wanted)
        };
        if bytes.is_file() {
            self.cache.figures.read_from_disk.increment(bytes.len() as u64);
        }
        self.read_ahead(range.start + bytes.len() as u64, origin);
        bytes
    }

    /// Whether what is held lies in a file.
    pub(crate) fn holds_file(&self) -> bool {
        self.piece.as_ref().is_some_and(|(_, piece)| piece.is_file())
    }

    fn holds(&self, at: u64) -> bool {
        self.piece.as_ref().is_some_and(|(start, piece)| covers(*start, piece.len(), at))
    }

    /// Whether the byte at `at` is in memory; then it is held.
    fn find(&mut self, at: u64) -> bool {
        let key = self.key(at);
        let start = key.index * PIECE as u64;
        let found = if self.ahead.is_own(at) { self.cache.memory.peek(&key) } else { self.cache.memory.get(&key) };
        match found.filter(|piece| covers(start, piece.len(), at)) {
            Some(piece) => {
                self.hits += 1;
                self.first.get_or_insert(Tier::Memory);
                self.piece = Some((start, piece.into()));
                true
            }
            None => false,
        }
    }

    /// On disk, and to be sent from there.
    fn find_in_file(&mut self, at: u64) -> bool {
        let Some(disk) = self.cache.disk.as_ref().filter(|_| self.takes_files) else { return false };
        let start = at - at % PIECE as u64;
        let Some(part) = disk.in_file(&self.object, start).filter(|part| covers(start, part.len(), at)) else {
            return false;
        };
        self.first.get_or_insert(Tier::Disk);
        self.piece = Some((start, Part::File(part)));
        true
    }

    /// On disk, and not to be waited for.
    fn find_on_disk(&mut self, at: u64) -> bool {
        let Some(disk) = &self.cache.disk else { return false };
        let start = at - at % PIECE as u64;
        let Some(AtHand { bytes: piece, is_hot }) = disk.at_hand(&self.object, start) else { return false };
        if !covers(start, piece.len(), at) {
            return false;
        }
        self.cache.figures.read_from_disk.increment(piece.len() as u64);
        if is_hot {
            self.cache.memory.insert(self.key(at).to_key(), piece.clone());
        }
        self.first.get_or_insert(Tier::Disk);
        self.piece = Some((start, piece.into()));
        true
    }

    /// Has the byte at `at` brought, and waits for it.
    fn fetch(&mut self, at: u64, origin: impl Fn() -> Arc<dyn Origin>) {
        self.cache.figures.misses.increment(1);
        let follows = self.follows(at);
        if let Some(arrival) = self.board(at, &origin) {
            self.waiting = Some((at - at % PIECE as u64, arrival));
        }
        if follows {
            self.fetch_sequel(origin);
        }
    }

    /// Once half of what was fetched last is used up.
    fn read_ahead(&mut self, at: u64, origin: impl Fn() -> Arc<dyn Origin>) {
        self.tickets.retain(|ticket| ticket.end > at);
        if let Some(from) = self.ahead.next(at, self.end)
            && !self.cache.memory.contains(&self.key(from))
        {
            self.board(from, origin);
        }
    }

    fn board(&mut self, at: u64, origin: impl Fn() -> Arc<dyn Origin>) -> Option<oneshot::Receiver<Arrival>> {
        if let Some((ticket, arrival)) = self.cache.flights.join(&self.object, at) {
            return Some(self.join(at, ticket, arrival));
        }
        let run = self.plan(at);
        let landed = || {
            let key = self.key(at);
            self.cache.memory.peek(&key).is_some_and(|piece| covers(key.index * PIECE as u64, piece.len(), at))
        };
        match self.cache.flights.board(&self.object, at, run, landed) {
            Passage::Landed => None,
            Passage::Aboard(ticket, arrival) => Some(self.join(at, ticket, arrival)),
            Passage::Launch { ticket, arrival, pilot, range } => {
                fetch::spawn(Arc::clone(&self.cache), pilot, origin(), range);
                self.ahead.fetching(at..ticket.end);
                self.tickets.push(ticket);
                Some(arrival)
            }
        }
    }

    fn join(&mut self, at: u64, ticket: Ticket, arrival: oneshot::Receiver<Arrival>) -> oneshot::Receiver<Arrival> {
        self.ahead.joining(at, ticket.end);
        if !self.tickets.iter().any(|held| held.id == ticket.id) {
            self.tickets.push(ticket);
        }
        arrival
    }

    /// The run to fetch, up to what is there already. From the disk no more than is wanted: reading it is no request.
    fn plan(&mut self, at: u64) -> Range<u64> {
        let now = self.begun.get_or_insert_with(Instant::now).elapsed();
        let bounds = self.bounds();
        // The layout may promise more than is known to exist; the store then says so.
        let limit = self.limit.max(self.end);
        let length = self.ahead.miss(at, self.end.saturating_sub(at).max(1), now, bounds);
        let on_disk = self.on_disk(at);
        let run = run(at, length, on_disk || self.ahead.is_short(bounds), bounds.block, limit);
        run.start..self.up_to_cached(at..run.end)
    }

    fn on_disk(&self, at: u64) -> bool {
        self.cache.disk.as_ref().is_some_and(|disk| disk.covers(&self.object, at))
    }

    fn bounds(&self) -> Bounds {
        if !self.counted.replace(true) {
            self.cache.readers.fetch_add(1, Ordering::Relaxed);
        }
        let config = &self.cache.config;
        let share = config.memory_bytes / 4 / self.cache.readers().max(1);
        Bounds { block: config.block_bytes, longest: config.read_ahead_bytes, share: share as u64 }
    }

    fn key(&self, at: u64) -> PieceRef<'_> {
        PieceRef { object: &self.object, index: at / PIECE as u64 }
    }
}

fn covers(start: u64, length: usize, at: u64) -> bool {
    (start..start + length as u64).contains(&at)
}
