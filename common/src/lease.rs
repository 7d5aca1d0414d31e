//! What keeps a stream open after its token has expired: one lease for each token, file and client. Plain data and pure
//! decisions; where leases are kept (database, Redis, a gateway's memory) is not known here.

mod admit;
pub mod cache;
mod choose;
mod client;
pub mod config;
mod epoch;
mod id;
mod pin;

pub use admit::{Admit, Refusal, admit};
pub use choose::{Choice, choose};
pub use client::{Client, Prefix, UserAgent};
pub use config::LeasesConfig;
pub use epoch::{EPOCH_MARGIN, Epoch, Epochs, Subject};
pub use id::{InvalidLeaseId, LeaseId};
pub use pin::{Parameter, Pin, Shown};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{FileId, OrgId, UserId},
    timestamp::Timestamp,
    tokens::Scope,
};

/// A stream that one client may go on reading. All times are the database's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybackLease {
    pub id: LeaseId,
    pub org: OrgId,
    pub user: UserId,
    pub file: FileId,
    /// `jti` of the token that opened it.
    pub token_id: String,
    /// What that token allowed; a lease allows no more.
    pub scope: Vec<Scope>,
    pub token_issued_at: Timestamp,
    pub token_expires_at: Timestamp,
    /// Whom it is bound to now.
    pub client: Client,
    pub opened_at: Timestamp,
    /// The latest time at which the client may have been here: whoever knows it only roughly says the later one.
    pub seen_at: Timestamp,
    /// The hard cap.
    pub ends_at: Timestamp,
    /// When it was bound to another prefix, of the last hour.
    pub moves: Vec<Timestamp>,
    /// What stands behind its addresses.
    pub pins: Vec<Pin>,
}

impl PlaybackLease {
    /// What the lease shows under this parameter, if that has been decided.
    #[must_use]
    pub fn pin(&self, parameter: &Parameter) -> Option<&Pin> {
        self.pins.iter().find(|pin| pin.parameter == *parameter)
    }
}
