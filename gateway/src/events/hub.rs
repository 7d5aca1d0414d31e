//! Who listens at this gateway, and how what happens reaches all of them: for each organisation with a listener one feed, which the one
//! reader of the log (`reader`) fills. Nobody is waited for: who is too slow for a feed reads the log by itself.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use http::StatusCode;
use reelgate_common::{ids::OrgId, lease::PlaybackLease, metric::EVENT_LISTENERS};
use tokio::sync::{Semaphore, broadcast};

use super::{config::EventsConfig, frame::Line};
use crate::error::ApiError;

/// Events that a listener may be behind before it has to read the log by itself; of transient ones the oldest are lost to it then.
const BEHIND: usize = 256;
/// Listeners that read the log by themselves at the same time; more wait for their turn.
const CATCHING_UP: usize = 6;
/// The position of a feed before anybody knows where the log ends.
const UNKNOWN: i64 = -1;

/// What all listeners of one organisation hear.
#[derive(Debug)]
pub(super) struct Feed {
    log: broadcast::Sender<Arc<Line>>,
    live: broadcast::Sender<Arc<Line>>,
    /// The last number that was told to all.
    position: AtomicI64,
}

impl Feed {
    fn new() -> Self {
        let (log, live) = (broadcast::Sender::new(BEHIND), broadcast::Sender::new(BEHIND));
        Self { log, live, position: AtomicI64::new(UNKNOWN) }
    }

    /// `None` before anybody knows.
    pub(super) fn position(&self) -> Option<i64> {
        Some(self.position.load(Ordering::SeqCst)).filter(|at| *at != UNKNOWN)
    }

    /// Nobody need be told what came before, for whoever joins has read it by itself.
    pub(super) fn begin_at(&self, last: i64) {
        // Somebody has said so before.
        _ = self.position.compare_exchange(UNKNOWN, last, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// In order: what was told before is told first.
    pub(super) fn tell(&self, line: Line) {
        let seq = line.seq;
        _ = self.log.send(Arc::new(line));
        if let Some(seq) = seq {
            self.position.store(seq, Ordering::SeqCst);
        }
    }
}

#[derive(Debug)]
struct Room {
    feed: Arc<Feed>,
    listeners: usize,
}

#[derive(Debug, Default)]
struct Rooms {
    by_org: HashMap<OrgId, Room>,
    total: usize,
    /// Leases of those who listen, by the number of their seat.
    leases: HashMap<u64, PlaybackLease>,
    next_seat: u64,
}

/// All who listen at this gateway.
#[derive(Debug)]
pub(crate) struct Hub {
    most: usize,
    most_per_org: usize,
    rooms: Arc<Mutex<Rooms>>,
    catching_up: Semaphore,
}

impl Hub {
    pub(crate) fn new(config: &EventsConfig) -> Self {
        Self {
            most: config.max_streams,
            most_per_org: config.max_streams_per_org,
            rooms: Arc::default(),
            catching_up: Semaphore::new(CATCHING_UP),
        }
    }

    /// Hears everything from now on.
    ///
    /// # Errors
    /// 503 when all places are taken, 429 when the organisation has taken its own.
    pub(super) fn enter(&self, org: &OrgId, lease: Option<PlaybackLease>) -> Result<Seat, ApiError> {
        let mut rooms = lock(&self.rooms);
        if rooms.total >= self.most {
            return Err(no_place());
        }
        let room =
            rooms.by_org.entry(org.clone()).or_insert_with(|| Room { feed: Arc::new(Feed::new()), listeners: 0 });
        if room.listeners >= self.most_per_org {
            return Err(too_many());
        }
        room.listeners += 1;
        let feed = room.feed.clone();
        rooms.total += 1;
        rooms.next_seat += 1;
        let number = rooms.next_seat;
        rooms.leases.extend(lease.map(|lease| (number, lease)));
        count(rooms.total);
        let (log, live) = (feed.log.subscribe(), feed.live.subscribe());
        Ok(Seat { rooms: self.rooms.clone(), org: org.clone(), number, feed, log, live })
    }

    /// Whose people listen here.
    pub(super) fn orgs(&self) -> Vec<OrgId> {
        lock(&self.rooms).by_org.keys().cloned().collect()
    }

    pub(super) fn feed(&self, org: &OrgId) -> Option<Arc<Feed>> {
        lock(&self.rooms).by_org.get(org).map(|room| room.feed.clone())
    }

    /// Tells what is not in the log to those who hear it at once.
    pub(super) fn tell_live(&self, org: &OrgId, line: impl FnOnce() -> Line) {
        if let Some(feed) = self.feed(org) {
            _ = feed.live.send(Arc::new(line()));
        }
    }

    /// The leases of those who listen here.
    pub(super) fn present(&self) -> Vec<PlaybackLease> {
        lock(&self.rooms).leases.values().cloned().collect()
    }

    /// The turn of a listener that reads the log by itself.
    pub(super) fn catching_up(&self) -> &Semaphore {
        &self.catching_up
    }
}

/// A listener's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    rooms: Arc<Mutex<Rooms>>,
    org: OrgId,
    number: u64,
    pub(super) feed: Arc<Feed>,
    pub(super) log: broadcast::Receiver<Arc<Line>>,
    pub(super) live: broadcast::Receiver<Arc<Line>>,
}

impl Seat {
    pub(super) fn org(&self) -> &OrgId {
        &self.org
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = lock(&self.rooms);
        rooms.total -= 1;
        rooms.leases.remove(&self.number);
        count(rooms.total);
        let Some(room) = rooms.by_org.get_mut(&self.org) else { return };
        room.listeners -= 1;
        if room.listeners == 0 {
            rooms.by_org.remove(&self.org);
        }
    }
}

fn lock(rooms: &Mutex<Rooms>) -> MutexGuard<'_, Rooms> {
    rooms.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(listeners: usize) {
    EVENT_LISTENERS.set(listeners as u64);
}

fn no_place() -> ApiError {
    let detail = "This gateway has as many listeners as it takes; connect again in a moment";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_listeners", detail).retry_after(5)
}

fn too_many() -> ApiError {
    let detail = "The organisation has as many listeners at this gateway as it may have";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail).retry_after(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::new(name)
    }

    fn hub(max_streams: usize, max_streams_per_org: usize) -> Hub {
        Hub::new(&EventsConfig { max_streams, max_streams_per_org, ..EventsConfig::default() })
    }

    #[test]
    fn places_are_limited_and_free_again_when_somebody_leaves() {
        let hub = hub(3, 2);
        let acme = [(); 2].map(|()| hub.enter(&org("acme"), None).unwrap());
        assert_eq!(hub.enter(&org("acme"), None).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        let other = hub.enter(&org("other"), None).unwrap();
        assert_eq!(hub.enter(&org("third"), None).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(hub.orgs().len(), 2);
        drop((acme, other));
        assert!(hub.orgs().is_empty(), "what nobody listens to is not read");
        hub.enter(&org("third"), None).unwrap();
    }

    #[test]
    fn all_of_an_organisation_hear_the_same_feed_and_no_other_does() {
        let hub = hub(9, 9);
        let [mut one, mut two] = [(); 2].map(|()| hub.enter(&org("acme"), None).unwrap());
        let mut other = hub.enter(&org("other"), None).unwrap();
        one.feed.begin_at(4);
        two.feed.begin_at(9);
        let line = || Line { seq: Some(5), file: reelgate_common::ids::FileId::new(), text: bytes::Bytes::new() };
        hub.feed(&org("acme")).unwrap().tell(line());
        hub.tell_live(&org("acme"), line);
        for seat in [&mut one, &mut two] {
            assert_eq!((seat.log.try_recv().unwrap().seq, seat.feed.position()), (Some(5), Some(5)));
            assert!(seat.live.try_recv().is_ok());
        }
        assert!(other.log.try_recv().is_err() && other.live.try_recv().is_err() && other.feed.position().is_none());
    }
}
