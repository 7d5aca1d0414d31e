//! Tokens of every kind, good and forged. Made here by hand, because a forger does not use the product's own signer.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

/// What every site verifies sign-in with.
pub const AUTH_SECRET: &str = "the secret that all sites of the tests share";
/// What nobody verifies with.
pub const WRONG_SECRET: &str = "a secret of the right length that is not ours";
/// The name of the key that signs stream tokens.
pub const TOKEN_KID: &str = "e2e";
const TOKEN_KEY: &[u8] = b"thirty-two bytes sign all tokens";

/// As `tokens.keys` wants it.
#[must_use]
pub fn token_keys() -> String {
    format!("{TOKEN_KID}:{}", STANDARD.encode(TOKEN_KEY))
}

/// Who signs in, for how long.
#[derive(Debug, Clone)]
pub struct SignIn {
    pub sub: String,
    pub org: String,
    pub roles: Vec<String>,
    /// Seconds from now; below 0 it has expired.
    pub ttl: i64,
}

impl SignIn {
    /// A member of an organisation, for an hour.
    #[must_use]
    pub fn member(sub: &str, org: &str) -> Self {
        Self { sub: sub.to_owned(), org: org.to_owned(), roles: Vec::new(), ttl: 3_600 }
    }

    #[must_use]
    pub fn admin(sub: &str, org: &str) -> Self {
        Self { roles: vec!["admin".to_owned()], ..Self::member(sub, org) }
    }

    /// Where the configuration says `auth.operator_role = "operator"`.
    #[must_use]
    pub fn operator(sub: &str, org: &str) -> Self {
        Self { roles: vec!["operator".to_owned()], ..Self::member(sub, org) }
    }

    #[must_use]
    pub fn ttl(self, ttl: i64) -> Self {
        Self { ttl, ..self }
    }

    /// The token that every site accepts.
    #[must_use]
    pub fn jwt(&self) -> String {
        self.signed_with(AUTH_SECRET)
    }

    #[must_use]
    pub fn signed_with(&self, secret: &str) -> String {
        let signed = self.unsigned("HS256");
        format!("{signed}.{}", mac(secret.as_bytes(), &signed))
    }

    /// The classic forgery: it says itself that it bears no signature.
    #[must_use]
    pub fn alg_none(&self) -> String {
        format!("{}.", self.unsigned("none"))
    }

    fn unsigned(&self, algorithm: &str) -> String {
        let now = now_ms() / 1_000;
        let header = json!({"alg": algorithm, "typ": "JWT"});
        let Self { sub, org, roles, ttl } = self;
        let claims = json!({"sub": sub, "org": org, "roles": roles, "iat": now - 7_200, "exp": now + ttl});
        format!("{}.{}", segment(&header), segment(&claims))
    }
}

/// A stream token with all scopes but events for the whole organisation; `ttl` in seconds, below 0 it has expired.
#[must_use]
pub fn stream_token(sub: &str, org: &str, ttl: i64) -> String {
    stream_token_signed_with(TOKEN_KEY, sub, org, ttl)
}

/// The same, signed with another key under the same name.
#[must_use]
pub fn forged_stream_token(sub: &str, org: &str) -> String {
    stream_token_signed_with(WRONG_SECRET.as_bytes(), sub, org, 300)
}

fn stream_token_signed_with(key: &[u8], sub: &str, org: &str, ttl: i64) -> String {
    let expires = now_ms() + ttl * 1_000;
    let claims = json!({
        "j": "0123456789abcdefghijkl", "u": sub, "o": org, "s": ["play", "source", "image"],
        "i": expires.min(now_ms()) - 300_000, "e": expires,
    });
    let signed = format!("v1.{TOKEN_KID}.{}", segment(&claims));
    let mac = mac(key, &signed);
    format!("{signed}.{mac}")
}

/// One letter of the claims changed, the signature left as it was.
#[must_use]
pub fn tampered(token: &str) -> String {
    let dot = token.rfind('.').expect("a token has dots");
    let letter = if token.as_bytes()[dot - 2] == b'A' { "B" } else { "A" };
    format!("{}{letter}{}", &token[..dot - 2], &token[dot - 1..])
}

fn segment(value: &serde_json::Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn mac(key: &[u8], text: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    URL_SAFE_NO_PAD.encode(mac.chain_update(text.as_bytes()).finalize().into_bytes())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("the clock is before the year 292 million")
}
