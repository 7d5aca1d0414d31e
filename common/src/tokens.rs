//! Stream tokens: compact, HMAC-SHA256, five minutes. A browser puts one into `<video src>`; the gateway turns it into a
//! `Grant` without asking anybody. Format: `v1.{kid}.{base64url(claims)}.{base64url(mac)}`, claims as short JSON keys,
//! mac over everything before it.

pub mod config;
mod keyring;
mod seal;
mod wire;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore;

use crate::{
    closed_set::closed_set,
    ids::{FileId, OrgId, UserId},
    timestamp::Timestamp,
};

pub use keyring::Keyring;
pub use seal::SealBroken;

closed_set! {
    /// What a stream token may be used for.
    pub enum Scope {
        /// Renditions, playlists and segments.
        Play = "play",
        /// `rendition=source`.
        Source = "source",
        /// Posters, thumbnails, storyboards.
        Image = "image",
        /// `/v1/events`.
        Events = "events",
    }
}

impl Scope {
    /// What a token may do when its request names no scope: all but events.
    pub const DEFAULT: &'static [Self] = &[Self::Play, Self::Source, Self::Image];
}

/// What a stream token says. Its form on the wire is `wire`'s matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Token id, random; playback leases are keyed by it.
    pub jti: String,
    pub user: UserId,
    pub org: OrgId,
    pub scope: Vec<Scope>,
    /// Only these files, at most `MAX_FILES`; `None`: every file of the organisation.
    pub files: Option<Vec<FileId>>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the stream token has expired; get a new one from POST /v1/files/token")]
    Expired,
    #[error("the stream token is not valid; get a new one from POST /v1/files/token")]
    Invalid,
}

/// Default life of a stream token.
pub const STREAM_TOKEN_TTL: Duration = Duration::from_secs(300);

/// The longest that may be configured, a day: what leaks must not stay useful for longer.
pub const MAX_STREAM_TOKEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Most files one token may be narrowed to: a token has to fit into a URL.
pub const MAX_FILES: usize = 100;

/// A new random token id: 128 bits, safe in URLs and keys.
#[must_use]
pub fn new_jti() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
