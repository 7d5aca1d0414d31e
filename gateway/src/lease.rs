//! The playback leases of this gateway: who goes on playing after a token has expired. Held in memory, so that a request
//! asks nobody; written to the database when one is opened, moved or pinned; touched and checked for revocation beside
//! the requests (`keep`). Knows nothing of representations and routes.

mod body;
mod gates;
mod held;
mod keep;
mod listen;
mod memo;
mod open;
mod revoke;
mod settle;
mod shelf;
mod ticket;

use std::{
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use reelgate_common::{
    db::{Db, DbError},
    ids::{FileId, OrgId, UserId},
    lease::{Client, Epochs, LeasesConfig, cache::SharedLeaseCache},
    timestamp::Timestamp,
};
use tokio::sync::Semaphore;

use self::{gates::Gates, memo::Memo, shelf::Shelf};
pub(crate) use self::{
    held::{Connection, Held},
    settle::{is_end, lease_ended},
    ticket::Ticket,
};
use crate::demand::Demand;

/// Questions to the database at once about leases that this gateway does not hold: anybody may ask for one that is none.
const LOOKUPS: usize = 8;

/// All leases that this gateway knows.
pub struct Leases {
    policy: LeasesConfig,
    db: Db,
    cache: Option<SharedLeaseCache>,
    shelf: Shelf,
    epochs: RwLock<Epochs>,
    /// Milliseconds that the database's clock is ahead of ours.
    ahead: AtomicI64,
    lookups: Semaphore,
    /// Whose leases were looked for elsewhere a moment ago.
    asked: Memo<(String, FileId)>,
    /// Where leases are being opened.
    opening: Gates<(String, FileId, Client)>,
    /// Tokens that have as many leases as they may have.
    full: Memo<String>,
    demand: Arc<Demand>,
}

impl Leases {
    /// Reads what was revoked; a gateway that does not know must not serve.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn open_with(
        policy: LeasesConfig,
        db: Db,
        cache: Option<SharedLeaseCache>,
        demand: Arc<Demand>,
    ) -> Result<Self, DbError> {
        let leases = Self {
            policy,
            db,
            cache,
            shelf: Shelf::default(),
            epochs: RwLock::default(),
            ahead: AtomicI64::new(0),
            lookups: Semaphore::new(LOOKUPS),
            asked: Memo::new(Duration::from_secs(2)),
            opening: Gates::default(),
            full: Memo::new(Duration::from_secs(5)),
            demand,
        };
        leases.learn(None).await?;
        Ok(leases)
    }

    /// The database's time, as far as it is known: what several gateways compare must be one clock's.
    fn now(&self) -> Timestamp {
        Timestamp(Timestamp::now().0.saturating_add(self.ahead.load(Ordering::Relaxed)))
    }

    /// The earliest time that a token issued now may bear: one that an epoch of a moment ago does not void.
    #[must_use]
    pub(crate) fn issue_at(&self, org: &OrgId, user: &UserId) -> Timestamp {
        let voided = self.epochs().latest(org, user);
        voided.map_or_else(Timestamp::now, |voided| Timestamp::now().max(Timestamp(voided.0 + 1)))
    }

    fn epochs(&self) -> RwLockReadGuard<'_, Epochs> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn epochs_mut(&self) -> RwLockWriteGuard<'_, Epochs> {
        self.epochs.write().unwrap_or_else(PoisonError::into_inner)
    }
}
