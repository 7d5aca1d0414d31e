//! One lease in this gateway's memory: what the row says, when the client was last here, and what it is being sent.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
};

use http::StatusCode;
use reelgate_common::{
    ids::{FileId, OrgId},
    lease::{Admit, Client, LeaseId, LeasesConfig, Parameter, Pin, PlaybackLease, admit},
    timestamp::Timestamp,
};

use crate::error::ApiError;

/// Times are the database's.
#[derive(Debug)]
pub(crate) struct Held {
    id: LeaseId,
    org: OrgId,
    file: FileId,
    lease: Mutex<PlaybackLease>,
    /// Newer than the lease's own: frames of a body move it without the lock.
    seen_at: AtomicI64,
    /// Until when another gateway may have seen the client without having said so yet. Never written down, else asking
    /// alone would keep a lease alive.
    perhaps_at: AtomicI64,
    /// Up to when the database and the cache know that.
    pub(super) touched_at: AtomicI64,
    pub(super) cached_at: AtomicI64,
    /// The row does not say all of it yet: the database was away.
    pub(super) unsaved: AtomicBool,
    revoked: AtomicBool,
    connections: AtomicU32,
}

impl Held {
    pub(super) fn new(lease: PlaybackLease, saved: bool) -> Self {
        let seen = lease.seen_at.0;
        Self {
            id: lease.id,
            org: lease.org.clone(),
            file: lease.file,
            lease: Mutex::new(lease),
            seen_at: AtomicI64::new(seen),
            perhaps_at: AtomicI64::new(seen),
            touched_at: AtomicI64::new(seen),
            cached_at: AtomicI64::new(i64::MIN),
            unsaved: AtomicBool::new(!saved),
            revoked: AtomicBool::new(false),
            connections: AtomicU32::new(0),
        }
    }

    #[must_use]
    pub(crate) fn id(&self) -> LeaseId {
        self.id
    }

    #[must_use]
    pub(crate) fn org(&self) -> &OrgId {
        &self.org
    }

    #[must_use]
    pub(crate) fn file(&self) -> FileId {
        self.file
    }

    /// What its addresses show under this parameter, if that has been decided.
    #[must_use]
    pub(crate) fn pin(&self, parameter: &Parameter) -> Option<Pin> {
        self.lock().pin(parameter).cloned()
    }

    /// As it is known to be.
    pub(super) fn lease(&self) -> PlaybackLease {
        PlaybackLease { seen_at: self.seen_at(), ..self.lock().clone() }
    }

    /// As it is to be judged.
    pub(super) fn to_judge(&self) -> PlaybackLease {
        PlaybackLease { seen_at: self.seen_at_most(), ..self.lock().clone() }
    }

    /// The quick way: `None` when it is not bound to this client.
    pub(super) fn admit_own(&self, client: &Client, now: Timestamp, policy: &LeasesConfig) -> Option<Admit> {
        let mut lease = self.lock();
        if lease.client != *client {
            return None;
        }
        lease.seen_at = self.seen_at_most();
        Some(admit(&lease, client, now, policy))
    }

    /// Takes over what another gateway has done with it; nothing that this one knows better.
    pub(super) fn merge(&self, other: &PlaybackLease) {
        let mut lease = self.lock();
        if other.moves.last() > lease.moves.last() {
            lease.client = other.client;
            lease.moves.clone_from(&other.moves);
        }
        if other.pins.len() > lease.pins.len() {
            lease.pins.clone_from(&other.pins);
        }
        self.seen(other.seen_at);
    }

    pub(super) fn set_binding(&self, moved: &PlaybackLease) {
        let mut lease = self.lock();
        lease.client = moved.client;
        lease.moves.clone_from(&moved.moves);
        self.seen(moved.seen_at);
    }

    pub(super) fn set_pins(&self, pins: Vec<Pin>) {
        self.lock().pins = pins;
    }

    pub(super) fn add_pin(&self, pin: &Pin) {
        let mut lease = self.lock();
        if lease.pin(&pin.parameter).is_none() {
            lease.pins.push(pin.clone());
        }
    }

    pub(super) fn seen_at(&self) -> Timestamp {
        Timestamp(self.seen_at.load(Ordering::Relaxed))
    }

    fn seen_at_most(&self) -> Timestamp {
        self.seen_at().max(Timestamp(self.perhaps_at.load(Ordering::Relaxed)))
    }

    pub(super) fn perhaps_seen(&self, at: Timestamp) {
        self.perhaps_at.fetch_max(at.0, Ordering::Relaxed);
    }

    /// The client asked for something, or took something. Most of what comes within a millisecond says nothing new, and only
    /// what does takes the line from the other cores.
    pub(super) fn seen(&self, at: Timestamp) {
        if self.seen_at() < at {
            self.seen_at.fetch_max(at.0, Ordering::Relaxed);
        }
    }

    pub(super) fn revoke(&self) {
        self.revoked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Relaxed)
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.connections.load(Ordering::Relaxed) > 0
    }

    /// A response that is about to be sent under this lease.
    ///
    /// # Errors
    /// 429 when there are as many already as may be.
    pub(super) fn connect(self: &Arc<Self>, most: u32) -> Result<Connection, ApiError> {
        let grown = |open: u32| (open < most).then_some(open + 1);
        match self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown) {
            Ok(_) => Ok(Connection { held: self.clone() }),
            Err(_) => Err(too_many_connections()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, PlaybackLease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_many_connections() -> ApiError {
    let detail = "Too many responses are being sent for this playback at once";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_connections", detail).retry_after(1)
}

/// Counts as one of the lease's connections until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    held: Arc<Held>,
}

impl Connection {
    pub(super) fn held(&self) -> &Held {
        &self.held
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.held.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
