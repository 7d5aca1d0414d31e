//! Verifying and (for `reelgate token` and the demo) minting JWTs. The algorithm is fixed by the key, never by the header.

use std::time::Duration;

use super::{AuthError, Caller, config::AuthConfig};
use crate::config::Secret;

/// Checks bearer tokens. Cheap to clone; refreshes its JWKS by itself.
#[derive(Debug, Clone)]
pub struct Authenticator {}

impl Authenticator {
    /// # Errors
    /// A sentence that says which key of `[auth]` to change.
    pub async fn new(_config: &AuthConfig) -> Result<Self, String> {
        todo!()
    }

    /// # Errors
    /// `Expired`, `Invalid`, or `Unavailable` while no key could be fetched yet.
    pub async fn verify(&self, _token: &str) -> Result<Caller, AuthError> {
        todo!()
    }
}

/// What `mint` puts into a token.
#[derive(Debug, Clone)]
pub struct MintRequest {
    pub sub: String,
    pub org: String,
    pub roles: Vec<String>,
    pub ttl: Duration,
}

/// An HS256 token under the configured claim names.
///
/// # Errors
/// The secret is missing or too short.
pub fn mint(_config: &AuthConfig, _secret: &Secret, _request: &MintRequest) -> Result<String, String> {
    todo!()
}
