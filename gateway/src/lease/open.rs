//! Opening a lease and deciding what it shows: the two things that must be in the database before the answer, so that no
//! other gateway says otherwise.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use reelgate_common::{
    db::{DbError, OpenedLease},
    file::FileRecord,
    lease::{Client, LeaseId, Pin, PlaybackLease},
};

use super::{Leases, Ticket, held::Held};
use crate::error::ApiError;

impl Leases {
    /// Opens a lease for this client, or finds the one that another gateway has opened: then its pins hold. `None` when
    /// the token has as many as it may have. While the database is away it lives in memory until it can be written.
    ///
    /// # Errors
    /// 404 when the file is gone, 500 when the database refuses.
    pub(crate) async fn open(
        &self,
        ticket: &Ticket,
        file: &FileRecord,
        client: &Client,
        pin: Pin,
    ) -> Result<Option<Arc<Held>>, ApiError> {
        // A player begins with several connections at once.
        let _alone = self.opening.enter((ticket.token_id.clone(), file.id, *client)).await;
        if let Some(held) = self.here(&(ticket.token_id.clone(), file.id), client)? {
            return Ok(Some(held));
        }
        let duration = Duration::from_millis(file.media.as_ref().map_or(0, |media| media.duration_ms));
        let opened = ticket.lease(file.id, client, self.now(), self.policy.hard_cap(duration));
        self.write(PlaybackLease { pins: vec![pin], ..opened }).await
    }

    /// For another client of the same token, which knows it by the name of a lease.
    pub(super) async fn open_beside(
        &self,
        lease: &PlaybackLease,
        client: &Client,
    ) -> Result<Option<Arc<Held>>, ApiError> {
        let now = self.now();
        let beside = PlaybackLease {
            id: LeaseId::random(),
            client: *client,
            opened_at: now,
            seen_at: now,
            moves: Vec::new(),
            ..lease.clone()
        };
        self.write(beside).await
    }

    async fn write(&self, lease: PlaybackLease) -> Result<Option<Arc<Held>>, ApiError> {
        if self.full.has(&lease.token_id) {
            return Ok(None);
        }
        let held = match self.db.open_lease(&lease, self.policy.idle(), self.policy.per_token).await {
            Ok(OpenedLease::New) => {
                self.demand.viewed(&lease.org, lease.file);
                self.shelf.put(lease, true)
            }
            Ok(OpenedLease::Held(row)) => self.adopt_row(*row),
            Ok(OpenedLease::TooMany) => {
                self.full.note(lease.token_id);
                return Ok(None);
            }
            Ok(OpenedLease::NoSuchFile) => return Err(ApiError::file_not_found()),
            Err(DbError::Away(_)) => {
                self.demand.viewed(&lease.org, lease.file);
                self.shelf.put(lease, false)
            }
            Err(error) => return Err(error.into()),
        };
        self.check(&held);
        held.seen(self.now());
        Ok(Some(held))
    }

    /// Decides what the lease shows under the pin's parameter, or hears what was decided before.
    ///
    /// # Errors
    /// The database refuses.
    pub(crate) async fn pin(&self, held: &Held, pin: Pin) -> Result<Pin, ApiError> {
        if let Some(known) = held.pin(&pin.parameter) {
            return Ok(known);
        }
        match self.db.pin_lease(held.id(), &pin).await {
            Ok(Some(pins)) => held.set_pins(pins),
            Ok(None) => held.add_pin(&pin),
            Err(DbError::Away(_)) => {
                held.add_pin(&pin);
                held.unsaved.store(true, Ordering::Relaxed);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(held.pin(&pin.parameter).unwrap_or(pin))
    }

    /// Writes what could not be written while the database was away. The row wins where it says something else.
    pub(super) async fn save(&self, held: &Held) -> Result<(), DbError> {
        // Whatever changes from here on sets it again.
        held.unsaved.store(false, Ordering::Relaxed);
        let saved = self.try_save(held).await;
        if saved.is_err() {
            held.unsaved.store(true, Ordering::Relaxed);
        }
        saved
    }

    async fn try_save(&self, held: &Held) -> Result<(), DbError> {
        let lease = held.lease();
        let row = match self.db.find_lease(lease.id).await? {
            Some(row) => row,
            // Never written, or its client has another by now; that one then lives beside this.
            None => return self.db.open_lease(&lease, self.policy.idle(), u32::MAX).await.map(drop),
        };
        if row.client != lease.client {
            self.db.move_lease(&lease, &row.client).await?;
        }
        for pin in &lease.pins {
            if let Some(pins) = self.db.pin_lease(lease.id, pin).await? {
                held.set_pins(pins);
            }
        }
        Ok(())
    }
}
