//! Who is calling: the signed-in identity (JWT). Permission to stream is `tokens`' matter.

mod claims;
pub mod config;
mod jwks;
mod jwt;
mod keys;

use crate::ids::{OrgId, UserId};

pub use claims::usable_identifier;
pub use jwt::{Authenticator, MintRequest, mint};

/// A signed-in caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user: UserId,
    pub org: OrgId,
    /// Organisation admin: acts within `org` only.
    pub admin: bool,
    /// Sees jobs, workers and storage of all organisations; off unless configured.
    pub operator: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the token has expired; sign in again")]
    Expired,
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// The keys cannot be had right now.
    #[error("sign-in cannot be checked right now")]
    Unavailable,
}
