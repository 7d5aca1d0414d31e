//! The runs under way, and who is aboard. Every piece is read once however many ask: who needs one that is on its way
//! waits for it here. All decisions fall under one lock, so that nobody boards a flight that has just been given up.
//!
//! A `Ticket` says that somebody wants the run; without any the flight ends with the block it is in, so that what has begun is not read
//! again, and the connection to the store is not wasted. A `Pilot` belongs to the task that fetches.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::oneshot, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{error::ReadError, object::Object, origin::Tier, pool::PIECE};

/// A piece that has come, and from where.
pub(super) type Arrival = Result<(Bytes, Tier), Arc<ReadError>>;

#[derive(Clone)]
pub(super) struct Flights {
    shared: Arc<Shared>,
}

struct Shared {
    block: u64,
    table: Mutex<HashMap<Object, Vec<Flight>>>,
    next_id: AtomicU64,
}

struct Flight {
    id: u64,
    /// Bytes still to come; starts at a piece.
    rest: Range<u64>,
    aboard: usize,
    /// The store was asked.
    begun: bool,
    waiting: Vec<(u64, oneshot::Sender<Arrival>)>,
    stop: CancellationToken,
}

/// How to come by a byte that is not in memory.
pub(super) enum Passage {
    /// It has landed meanwhile.
    Landed,
    Aboard(Ticket, oneshot::Receiver<Arrival>),
    /// The caller has to fetch `range`.
    Launch {
        ticket: Ticket,
        arrival: oneshot::Receiver<Arrival>,
        pilot: Pilot,
        range: Range<u64>,
    },
}

impl Flights {
    pub(super) fn new(block: u64) -> Self {
        Self { shared: Arc::new(Shared { block, table: Mutex::default(), next_id: AtomicU64::new(0) }) }
    }

    /// Boards the flight that brings the byte at `at`, if there is one.
    pub(super) fn join(&self, object: &Object, at: u64) -> Option<(Ticket, oneshot::Receiver<Arrival>)> {
        let mut table = self.lock();
        self.join_one_of(table.get_mut(object)?, object, at)
    }

    /// As `join`, or begins a flight for `run`, which holds `at` and starts at a piece. A new run ends where another flight's
    /// begins. `landed` is asked under the lock: what lands is in memory before it leaves here.
    pub(super) fn board(&self, object: &Object, at: u64, run: Range<u64>, landed: impl FnOnce() -> bool) -> Passage {
        let mut table = self.lock();
        if landed() {
            return Passage::Landed;
        }
        let flights = table.entry(object.clone()).or_default();
        if let Some((ticket, arrival)) = self.join_one_of(flights, object, at) {
            return Passage::Aboard(ticket, arrival);
        }
        let range = before_others(flights, at, run);
        let (sender, arrival) = oneshot::channel();
        let flight = self.launch(range.clone(), (at / PIECE as u64, sender));
        let ticket = self.ticket(object, &flight);
        let pilot = Pilot { flights: self.clone(), object: object.clone(), id: flight.id, stop: flight.stop.clone() };
        flights.push(flight);
        Passage::Launch { ticket, arrival, pilot, range }
    }

    fn join_one_of(
        &self,
        flights: &mut [Flight],
        object: &Object,
        at: u64,
    ) -> Option<(Ticket, oneshot::Receiver<Arrival>)> {
        let flight = flights.iter_mut().find(|flight| flight.rest.contains(&at))?;
        let (sender, arrival) = oneshot::channel();
        flight.aboard += 1;
        flight.waiting.push((at / PIECE as u64, sender));
        Some((self.ticket(object, flight), arrival))
    }

    fn launch(&self, rest: Range<u64>, waiter: (u64, oneshot::Sender<Arrival>)) -> Flight {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        Flight { id, rest, aboard: 1, begun: false, waiting: vec![waiter], stop: CancellationToken::new() }
    }

    fn ticket(&self, object: &Object, flight: &Flight) -> Ticket {
        Ticket { flights: self.clone(), object: object.clone(), id: flight.id, end: flight.rest.end }
    }

    /// Does something to a flight that may have ended.
    fn with<T>(&self, object: &Object, id: u64, act: impl FnOnce(&mut Flight) -> T) -> Option<T> {
        self.lock().get_mut(object)?.iter_mut().find(|flight| flight.id == id).map(act)
    }

    fn remove(&self, object: &Object, id: u64) -> Option<Flight> {
        let mut table = self.lock();
        let flights = table.get_mut(object)?;
        let place = flights.iter().position(|flight| flight.id == id)?;
        let flight = flights.swap_remove(place);
        if flights.is_empty() {
            table.remove(object);
        }
        Some(flight)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Object, Vec<Flight>>> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }
}

/// The part of `run` that no other flight brings, around `at`. Whole pieces, but for the end of the object.
fn before_others(flights: &[Flight], at: u64, run: Range<u64>) -> Range<u64> {
    let piece = at - at % PIECE as u64;
    let others = || flights.iter().filter(|flight| !flight.rest.is_empty());
    let start =
        others().map(|flight| flight.rest.end).filter(|end| *end <= piece && end.is_multiple_of(PIECE as u64)).max();
    let end = others().map(|flight| flight.rest.start).filter(|start| *start > at).min();
    run.start.max(start.unwrap_or(0))..run.end.min(end.unwrap_or(u64::MAX))
}

/// Somebody wants what the flight brings. The last one to drop it stops the flight.
pub(super) struct Ticket {
    flights: Flights,
    object: Object,
    pub(super) id: u64,
    /// Where the flight's run ends.
    pub(super) end: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.flights.leave(&self.object, self.id);
    }
}

impl Flights {
    fn leave(&self, object: &Object, id: u64) {
        let block = self.shared.block;
        let over = self.with(object, id, |flight| {
            flight.aboard -= 1;
            flight.aboard == 0 && flight.wind_up(block)
        });
        if over == Some(true) {
            self.give_up(object, id);
        }
    }

    /// Unless somebody has boarded in between. True when the flight is gone.
    fn give_up(&self, object: &Object, id: u64) -> bool {
        let mut table = self.lock();
        let Some(flights) = table.get_mut(object) else { return true };
        let Some(place) = flights.iter().position(|flight| flight.id == id) else { return true };
        if flights[place].aboard > 0 {
            return false;
        }
        flights.swap_remove(place);
        if flights.is_empty() {
            table.remove(object);
        }
        true
    }
}

impl Flight {
    /// Nobody is aboard: it goes no further than its block. True when there is nothing left to do.
    fn wind_up(&mut self, block: u64) -> bool {
        self.rest.end = self.rest.end.min(self.rest.start.next_multiple_of(block));
        self.stop.cancel();
        !self.begun || self.rest.is_empty()
    }
}

/// Brings the pieces in order. Dropped early, it fails those who wait.
pub(super) struct Pilot {
    flights: Flights,
    object: Object,
    id: u64,
    stop: CancellationToken,
}

impl Pilot {
    pub(super) fn object(&self) -> &Object {
        &self.object
    }

    /// From now on the flight ends with a block.
    pub(super) fn begin(&self) {
        self.flights.with(&self.object, self.id, |flight| flight.begun = true);
    }

    /// Returns when nobody wants the flight any more and it has not come to its block's end within `patience`.
    pub(super) async fn abandoned(&self, patience: Duration) {
        self.stop.cancelled().await;
        while !self.is_over() {
            sleep(patience).await;
            if self.flights.give_up(&self.object, self.id) {
                return;
            }
        }
    }

    /// Whether it was left by all and has come to the end of its block.
    pub(super) fn is_wound_up(&self) -> bool {
        self.stop.is_cancelled() && self.is_over()
    }

    /// Whether all has come that is wanted.
    fn is_over(&self) -> bool {
        self.flights.with(&self.object, self.id, |flight| flight.rest.is_empty()).unwrap_or(true)
    }

    /// Hands a piece to those who wait for it, and says how many do. It is in memory already.
    pub(super) fn land(&self, index: u64, bytes: &Bytes, tier: Tier) -> usize {
        let waiters = self.flights.with(&self.object, self.id, |flight| {
            flight.rest.start = flight.rest.end.min((index + 1) * PIECE as u64);
            flight.waiting.extract_if(.., |(wanted, _)| *wanted == index).collect::<Vec<_>>()
        });
        // Whoever has gone meanwhile needs nothing.
        let sent = |(_, waiter): (u64, oneshot::Sender<Arrival>)| waiter.send(Ok((bytes.clone(), tier))).is_ok();
        waiters.unwrap_or_default().into_iter().map(sent).filter(|sent| *sent).count()
    }

    pub(super) fn fail(self, error: ReadError) {
        let error = Arc::new(error);
        let waiting = self.flights.remove(&self.object, self.id).map(|flight| flight.waiting);
        for (_, waiter) in waiting.unwrap_or_default() {
            let _ = waiter.send(Err(Arc::clone(&error)));
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        // Waiters that are left see their channel closed.
        self.flights.remove(&self.object, self.id);
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::ids::{FileId, OrgId};

    use super::*;
    use crate::cache::object::ObjectName;

    const P: u64 = PIECE as u64;

    fn object() -> Object {
        Object::new(ObjectName::Source { org: OrgId::new("acme"), file: FileId::new(), sha256: String::new() })
    }

    fn launch(
        flights: &Flights,
        object: &Object,
        at: u64,
        run: Range<u64>,
    ) -> (Ticket, oneshot::Receiver<Arrival>, Pilot, Range<u64>) {
        match flights.board(object, at, run, || false) {
            Passage::Launch { ticket, arrival, pilot, range } => (ticket, arrival, pilot, range),
            Passage::Landed | Passage::Aboard(..) => panic!("no launch"),
        }
    }

    #[test]
    fn a_second_client_boards_the_flight_of_the_first() {
        let (flights, object) = (Flights::new(16 * P), object());
        let (_ticket, mut first, pilot, _) = launch(&flights, &object, 0, 0..4 * P);
        let Passage::Aboard(_second_ticket, mut second) = flights.board(&object, 10, 0..P, || false) else {
            panic!("not aboard")
        };
        pilot.land(0, &Bytes::from_static(b"x"), Tier::Storage);
        assert_eq!(first.try_recv().unwrap().unwrap().0, "x");
        assert_eq!(second.try_recv().unwrap().unwrap().0, "x");
        // The piece has landed: who has lost it must fetch it again.
        assert!(matches!(flights.board(&object, 10, 0..P, || false), Passage::Launch { .. }));
    }

    #[test]
    fn the_last_to_leave_stops_the_flight() {
        let (flights, object) = (Flights::new(16 * P), object());
        let (leader, _arrival, pilot, _) = launch(&flights, &object, 0, 0..4 * P);
        let Passage::Aboard(other, _rx) = flights.board(&object, P, P..2 * P, || false) else { panic!("not aboard") };
        drop(leader);
        assert!(!pilot.is_over());
        drop(other);
        assert!(pilot.is_over());
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_flight_that_has_begun_ends_with_its_block() {
        let (flights, object) = (Flights::new(16 * P), object());
        let (ticket, _arrival, pilot, _) = launch(&flights, &object, 0, 0..32 * P);
        pilot.begin();
        pilot.land(0, &Bytes::from_static(b"x"), Tier::Storage);
        drop(ticket);
        assert!(!pilot.is_over());
        assert!(flights.join(&object, 15 * P).is_some(), "who comes again finds it");
        assert!(flights.join(&object, 16 * P).is_none());
        for index in 1..16 {
            pilot.land(index, &Bytes::from_static(b"x"), Tier::Storage);
        }
        assert!(pilot.is_over());
    }

    #[test]
    fn an_error_reaches_all_who_wait() {
        let (flights, object) = (Flights::new(16 * P), object());
        let (_ticket, mut first, pilot, _) = launch(&flights, &object, 0, 0..4 * P);
        let Passage::Aboard(_t, mut second) = flights.board(&object, 3 * P, 0..P, || false) else {
            panic!("not aboard")
        };
        pilot.fail(ReadError::WrongLength);
        for arrival in [&mut first, &mut second] {
            assert!(matches!(&*arrival.try_recv().unwrap().unwrap_err(), ReadError::WrongLength));
        }
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_run_ends_where_another_begins() {
        let (flights, object) = (Flights::new(16 * P), object());
        let (_a, _b, _pilot, _) = launch(&flights, &object, 8 * P, 8 * P..16 * P);
        let (_c, _d, _other, range) = launch(&flights, &object, 4 * P + 1, 4 * P..20 * P);
        assert_eq!(range, 4 * P..8 * P);
        let (_e, _f, _third, range) = launch(&flights, &object, 17 * P, 12 * P..20 * P);
        assert_eq!(range, 16 * P..20 * P);
    }
}
