//! The seam to a place, shared by all gateways, where leases are remembered between the database's touches. It may lose
//! everything at any time: it is asked first and believed last. What it says is never a revocation, nor its absence one.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{LeaseId, PlaybackLease};
use crate::ids::FileId;

pub type SharedLeaseCache = Arc<dyn LeaseCache>;

/// It is away, or what it holds cannot be read; the database is asked instead.
#[derive(Debug, thiserror::Error)]
#[error("the cache of leases gave no answer")]
pub struct LeaseCacheError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

#[async_trait]
pub trait LeaseCache: Send + Sync + 'static {
    /// Remembers these as they are now, for `keep`.
    ///
    /// # Errors
    /// It is away; some may have been written.
    async fn put(&self, leases: &[PlaybackLease], keep: Duration) -> Result<(), LeaseCacheError>;

    /// What it knows of a token's leases for a file.
    ///
    /// # Errors
    /// It is away.
    async fn of_token(&self, token_id: &str, file: FileId) -> Result<Vec<PlaybackLease>, LeaseCacheError>;

    /// # Errors
    /// It is away.
    async fn find(&self, id: LeaseId) -> Result<Option<PlaybackLease>, LeaseCacheError>;
}
