//! Of playback leases.

use crate::{
    ids::{FileId, UserId},
    lease::{Epoch, PlaybackLease},
    timestamp::Timestamp,
};

/// Answer to `open_lease`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenedLease {
    /// As it was given.
    New,
    /// The client has one already: this.
    Held(Box<PlaybackLease>),
    /// The token has as many as it may have.
    TooMany,
    /// The file is gone, or another organisation's.
    NoSuchFile,
}

/// `GET /v1/leases`.
#[derive(Debug, Clone, Default)]
pub struct LeaseFilter {
    pub file: Option<FileId>,
    pub user: Option<UserId>,
    pub limit: u64,
}

/// What gateways must hear of, soon.
#[derive(Debug, Clone)]
pub struct LeaseNews {
    /// The database's clock.
    pub now: Timestamp,
    pub epochs: Vec<Epoch>,
    /// Leases bound to another network, as they are now.
    pub moved: Vec<PlaybackLease>,
}
