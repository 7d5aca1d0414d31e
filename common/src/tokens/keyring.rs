//! The keys that sign and verify stream tokens. Comparison is constant-time; the signature is checked before any claim is read.

use super::{Claims, TokenError, config::TokensConfig};
use crate::timestamp::Timestamp;

#[derive(Clone)]
pub struct Keyring {}

impl Keyring {
    /// # Errors
    /// A sentence that says what is wrong with `tokens.keys`.
    pub fn new(_config: &TokensConfig) -> Result<Self, String> {
        todo!()
    }

    #[must_use]
    pub fn sign(&self, _claims: &Claims) -> String {
        todo!()
    }

    /// # Errors
    /// `Invalid`, or `Expired` for a well-signed token whose time is over at `now`.
    pub fn verify(&self, _token: &str, _now: Timestamp) -> Result<Claims, TokenError> {
        todo!()
    }
}
