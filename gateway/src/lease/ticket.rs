//! What a stream token says as far as leases are concerned, whether it lives or not.

use std::time::Duration;

use reelgate_common::{
    ids::{FileId, OrgId, UserId},
    lease::{Client, LeaseId, PlaybackLease},
    timestamp::Timestamp,
    tokens::{Claims, Scope, new_jti},
};

/// An authentic token, however old. By itself it permits something only while it lives.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub org: OrgId,
    pub user: UserId,
    pub token_id: String,
    pub scope: Vec<Scope>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Ticket {
    pub(crate) fn new(claims: &mut Claims) -> Self {
        Self {
            org: claims.org.clone(),
            user: claims.user.clone(),
            token_id: std::mem::take(&mut claims.jti),
            scope: std::mem::take(&mut claims.scope),
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
        }
    }

    /// For a signed-in caller, who has no token but needs a lease that addresses can name.
    pub(crate) fn of_caller(org: OrgId, user: UserId, issued_at: Timestamp, expires_at: Timestamp) -> Self {
        Self { org, user, token_id: new_jti(), scope: vec![Scope::Play], issued_at, expires_at }
    }

    /// The token that opened a lease.
    pub(crate) fn of_lease(lease: &PlaybackLease) -> Self {
        Self {
            org: lease.org.clone(),
            user: lease.user.clone(),
            token_id: lease.token_id.clone(),
            scope: lease.scope.clone(),
            issued_at: lease.token_issued_at,
            expires_at: lease.token_expires_at,
        }
    }

    /// A lease that it opens now and that ends within `cap`.
    pub(super) fn lease(&self, file: FileId, client: &Client, now: Timestamp, cap: Duration) -> PlaybackLease {
        PlaybackLease {
            id: LeaseId::random(),
            org: self.org.clone(),
            user: self.user.clone(),
            file,
            token_id: self.token_id.clone(),
            scope: self.scope.clone(),
            token_issued_at: self.issued_at,
            token_expires_at: self.expires_at,
            client: *client,
            opened_at: now,
            seen_at: now,
            ends_at: now.plus(cap),
            moves: Vec::new(),
            pins: Vec::new(),
        }
    }

    pub(crate) fn lives(&self) -> bool {
        Timestamp::now() < self.expires_at
    }
}
