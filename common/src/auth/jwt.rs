//! Verifying and (for `reelgate token` and the demo) minting JWTs. The algorithm is fixed by the key, never by the header.

use std::{fmt, sync::Arc, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use super::{
    AuthError, Caller,
    claims::{ClaimNames, usable_identifier},
    config::AuthConfig,
    jwks::Jwks,
    keys::{Found, VerifyKey},
};
use crate::{config::Secret, timestamp::Timestamp};

/// Longer ones are refused unread; what providers issue stays below what web servers take as a header.
const MAX_TOKEN: usize = 16 * 1024;
/// As long as the digest (RFC 7518 section 3.2).
const MIN_SECRET: usize = 32;
/// More tolerance than this would be a second life for expired tokens.
const MAX_LEEWAY_SECONDS: u64 = 600;

/// Checks bearer tokens. Cheap to clone; refreshes its JWKS by itself.
#[derive(Clone)]
pub struct Authenticator {
    inner: Arc<Inner>,
}

struct Inner {
    names: ClaimNames,
    secret: Option<VerifyKey>,
    jwks: Option<RefreshedJwks>,
}

struct RefreshedJwks {
    keys: Arc<Jwks>,
    _refresh: AbortOnDropHandle<()>,
}

impl Authenticator {
    /// # Errors
    /// A sentence that says which key of `[auth]` to change.
    pub async fn new(config: &AuthConfig) -> Result<Self, String> {
        let names = ClaimNames::new(config)?;
        let rules = rules(config)?;
        let secret = secret_key(config, &rules)?;
        let jwks = match &config.jwks {
            Some(place) if !place.is_empty() => Some(start_jwks(place, rules, config.jwks_refresh_seconds).await?),
            _ => None,
        };
        if secret.is_none() && jwks.is_none() {
            return Err("nobody could sign in: set auth.secret or auth.jwks".to_owned());
        }
        Ok(Self { inner: Arc::new(Inner { names, secret, jwks }) })
    }

    /// # Errors
    /// `Expired`, `Invalid`, or `Unavailable` while no key could be fetched yet.
    pub async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        if token.len() > MAX_TOKEN {
            return Err(AuthError::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|error| reason(error.kind()))?;
        if header.crit.is_some() {
            return Err(AuthError::Invalid("it asks for extensions that are not known here"));
        }
        if header.alg == Algorithm::HS256 {
            let secret = self.inner.secret.as_ref().ok_or(AuthError::Invalid("HS256 is not accepted here"))?;
            return self.check(token, secret);
        }
        self.verify_by_jwks(token, header.kid.as_deref(), header.alg).await
    }

    async fn verify_by_jwks(&self, token: &str, kid: Option<&str>, alg: Algorithm) -> Result<Caller, AuthError> {
        let jwks = &self.inner.jwks.as_ref().ok_or(AuthError::Invalid("only HS256 is accepted here"))?.keys;
        if let Some(answer) = self.try_current(jwks, token, kid, alg) {
            return answer;
        }
        let fresh = jwks.refresh_for_unknown_kid().await;
        let unknown = if fresh { AuthError::Invalid("its key is not known") } else { AuthError::Unavailable };
        self.try_current(jwks, token, kid, alg).unwrap_or(Err(unknown))
    }

    /// `None` when the key is not among those read so far.
    fn try_current(
        &self,
        jwks: &Jwks,
        token: &str,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Option<Result<Caller, AuthError>> {
        let keys = jwks.current()?;
        match keys.find(kid, alg) {
            Found::Key(key) => Some(self.check(token, key)),
            Found::Unfit => Some(Err(AuthError::Invalid("no key fits its algorithm"))),
            Found::Unknown => None,
        }
    }

    fn check(&self, token: &str, key: &VerifyKey) -> Result<Caller, AuthError> {
        let data = decode::<Value>(token, &key.key, &key.validation).map_err(|error| reason(error.kind()))?;
        self.inner.names.caller(&data.claims)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("secret", &self.inner.secret.is_some())
            .field("jwks", &self.inner.jwks.is_some())
            .finish()
    }
}

/// What holds for each key's tokens.
fn rules(config: &AuthConfig) -> Result<Validation, String> {
    if config.leeway_seconds > MAX_LEEWAY_SECONDS {
        return Err(format!("auth.leeway_seconds must be at most {MAX_LEEWAY_SECONDS}"));
    }
    let mut rules = Validation {
        leeway: config.leeway_seconds,
        validate_nbf: true,
        // Without a configured audience any is taken: many providers always send one.
        validate_aud: config.audience.is_some(),
        ..Validation::default()
    };
    if let Some(audience) = &config.audience {
        rules.set_audience(&[audience]);
        rules.required_spec_claims.insert("aud".to_owned());
    }
    if let Some(issuer) = &config.issuer {
        rules.set_issuer(&[issuer]);
        rules.required_spec_claims.insert("iss".to_owned());
    }
    Ok(rules)
}

fn secret_key(config: &AuthConfig, rules: &Validation) -> Result<Option<VerifyKey>, String> {
    if config.secret.is_empty() {
        return Ok(None);
    }
    let secret = checked_secret(&config.secret)?;
    Ok(Some(VerifyKey::new(None, DecodingKey::from_secret(secret), Algorithm::HS256, rules)))
}

fn checked_secret(secret: &Secret) -> Result<&[u8], String> {
    match secret.expose().as_bytes() {
        bytes if bytes.len() < MIN_SECRET => Err(format!("auth.secret needs at least {MIN_SECRET} bytes")),
        bytes => Ok(bytes),
    }
}

/// A file has to be readable at start; an address may come later, so that a provider's outage stops no restart.
async fn start_jwks(place: &str, rules: Validation, refresh_seconds: u64) -> Result<RefreshedJwks, String> {
    if refresh_seconds == 0 {
        return Err("auth.jwks_refresh_seconds must be at least 1".to_owned());
    }
    let keys = Arc::new(Jwks::new(place, rules)?);
    match keys.refresh().await {
        Err(error) if keys.is_file() => return Err(format!("auth.jwks: cannot use {place}: {error}")),
        Err(error) => tracing::warn!(%error, "The JWKS cannot be read yet; nobody can sign in by it until it can."),
        Ok(()) => {}
    }
    let refresh = tokio::spawn(Arc::clone(&keys).keep_fresh(Duration::from_secs(refresh_seconds)));
    Ok(RefreshedJwks { keys, _refresh: AbortOnDropHandle::new(refresh) })
}

fn reason(kind: &ErrorKind) -> AuthError {
    AuthError::Invalid(match kind {
        ErrorKind::ExpiredSignature => return AuthError::Expired,
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidIssuer => "it comes from another issuer",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "its algorithm is not accepted",
        ErrorKind::MissingRequiredClaim(_) => "a required claim is missing",
        ErrorKind::InvalidClaimFormat(_) => "a claim has the wrong type",
        _ => "it is malformed",
    })
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
/// The secret is missing or too short, or the request names nobody that `verify` would take.
pub fn mint(config: &AuthConfig, secret: &Secret, request: &MintRequest) -> Result<String, String> {
    let secret = checked_secret(secret)?;
    for (name, text) in [("sub", &request.sub), ("org", &request.org)] {
        if !usable_identifier(text) {
            return Err(format!("{name} must have 1 to 64 bytes and no control characters"));
        }
    }
    let mut claims = ClaimNames::new(config)?.claims(&request.sub, &request.org, &request.roles);
    let now = Timestamp::now();
    claims.insert("iat".to_owned(), (now.0 / 1000).into());
    claims.insert("exp".to_owned(), (now.plus(request.ttl).0 / 1000).into());
    if let Some(issuer) = &config.issuer {
        claims.insert("iss".to_owned(), issuer.as_str().into());
    }
    if let Some(audience) = &config.audience {
        claims.insert("aud".to_owned(), audience.as_str().into());
    }
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret)).map_err(|error| error.to_string())
}
