//! The keys that sign and verify stream tokens. Comparison is constant-time; the signature is checked before any claim is read.

use std::fmt;

use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use sha2::Sha256;

use super::{Claims, MAX_STREAM_TOKEN_TTL, TokenError, config::TokensConfig, wire};
use crate::{config::Secret, timestamp::Timestamp};

/// Part of what is signed, so a token of a later format can never be read as one of this.
const VERSION: &str = "v1";
/// A token over this is refused unread; `MAX_FILES` keeps honest ones far below it.
const MAX_TOKEN: usize = 8 * 1024;
/// As long as the digest: a shorter key would be the weakest part (RFC 2104 section 3).
const MIN_KEY: usize = 32;
const MAX_KID: usize = 32;
/// A token "from the future" is forged or comes from a gateway with a broken clock.
const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: String,
    /// Keyed once; each use clones the two prepared hash states.
    pub(super) mac: Hmac<Sha256>,
}

/// At least one key; the first signs, all verify.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// # Errors
    /// A sentence that says what is wrong with `tokens.keys`.
    pub fn new(config: &TokensConfig) -> Result<Self, String> {
        let most = MAX_STREAM_TOKEN_TTL.as_secs();
        if !(1..=most).contains(&config.ttl_seconds) {
            return Err(format!("tokens.ttl_seconds must be 1 to {most}"));
        }
        let mut keys: Vec<Key> = Vec::new();
        for entry in config.keys.expose().split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let key = parse_key(entry, keys.len() + 1)?;
            if keys.iter().any(|known| known.kid == key.kid) {
                return Err(format!("tokens.keys names the key {:?} twice", key.kid));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err("tokens.keys is empty: set it to kid:base64 with at least 32 random bytes".to_owned());
        }
        Ok(Self { keys })
    }

    /// A new random key as text for `tokens.keys`.
    #[must_use]
    pub fn generate() -> Secret {
        let (mut kid, mut key) = ([0; 4], [0; MIN_KEY]);
        rand::rng().fill_bytes(&mut kid);
        rand::rng().fill_bytes(&mut key);
        Secret::new(format!("k{:08x}:{}", u32::from_be_bytes(kid), lenient(&STANDARD).encode(key)))
    }

    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let key = self.first();
        let mut token = format!("{VERSION}.{}.{}", key.kid, wire::pack(claims));
        let mac = key.mac.clone().chain_update(token.as_bytes()).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut token);
        token
    }

    /// # Errors
    /// `Invalid`, or `Expired` for a well-signed token whose time is over at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let claims = self.authenticate(token, now)?;
        if claims.expires_at <= now { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// The claims of a well-signed token, however old: a `PlaybackLease` outlives the token that opened it and is found
    /// by its `jti`. Grants nothing by itself.
    ///
    /// # Errors
    /// `Invalid`, also for a token from the future.
    pub fn authenticate(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let payload = self.signed_payload(token).ok_or(TokenError::Invalid)?;
        let claims = wire::unpack(payload).ok_or(TokenError::Invalid)?;
        if claims.issued_at > now.plus(CLOCK_SKEW) { Err(TokenError::Invalid) } else { Ok(claims) }
    }

    /// The one that signs and seals.
    pub(super) fn first(&self) -> &Key {
        &self.keys[0]
    }

    pub(super) fn named(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The claims part, once the signature over it has been checked.
    fn signed_payload<'t>(&self, token: &'t str) -> Option<&'t str> {
        let (signed, mac) = token.rsplit_once('.')?;
        let (kid, payload) = signed.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')?;
        let key = self.named(kid)?;
        // This engine refuses padding and stray trailing bits, so a signature has one spelling.
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        key.mac.clone().chain_update(signed.as_bytes()).verify_slice(&mac).ok()?;
        Some(payload)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.kid)).finish()
    }
}

/// `position` counts from 1: a message must not repeat what may be a secret.
fn parse_key(entry: &str, position: usize) -> Result<Key, String> {
    let (kid, text) =
        entry.split_once(':').ok_or_else(|| format!("key {position} of tokens.keys is not kid:base64"))?;
    if kid.is_empty() || kid.len() > MAX_KID || !kid.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(format!("key {position} of tokens.keys: a kid is 1 to {MAX_KID} letters, digits, - or _"));
    }
    let bytes = [&STANDARD, &URL_SAFE].into_iter().find_map(|alphabet| lenient(alphabet).decode(text).ok());
    let bytes = bytes.ok_or_else(|| format!("tokens.keys: the key {kid:?} is not base64"))?;
    if bytes.len() < MIN_KEY {
        return Err(format!("tokens.keys: the key {kid:?} has {} bytes, {MIN_KEY} are needed", bytes.len()));
    }
    let mac = Hmac::new_from_slice(&bytes).expect("HMAC takes a key of any length");
    Ok(Key { kid: kid.to_owned(), mac })
}

/// People paste keys with and without padding; only tokens need one spelling.
fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        ids::{FileId, OrgId, UserId},
        tokens::{MAX_FILES, Scope},
    };

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn key(kid: &str, byte: u8) -> String {
        format!("{kid}:{}", URL_SAFE_NO_PAD.encode([byte; 32]))
    }

    fn keyring(keys: &str) -> Result<Keyring, String> {
        Keyring::new(&TokensConfig { keys: Secret::new(keys), ..TokensConfig::default() })
    }

    fn claims() -> Claims {
        Claims {
            jti: "abc".to_owned(),
            user: UserId::new("alice"),
            org: OrgId::new("acme"),
            scope: Scope::DEFAULT.to_vec(),
            files: Some(vec![FileId::new(), FileId::new()]),
            issued_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(300)),
        }
    }

    #[test]
    fn a_signed_token_gives_its_claims_back() {
        let ring = keyring(&key("k1", 1)).unwrap();
        let everything = Claims { files: None, ..claims() };
        let nothing = Claims { files: Some(Vec::new()), ..claims() };
        for claims in [claims(), everything, nothing] {
            assert_eq!(ring.verify(&ring.sign(&claims), NOW), Ok(claims));
        }
    }

    #[test]
    fn the_largest_token_stays_below_the_limit() {
        let ring = keyring(&key(&"k".repeat(MAX_KID), 1)).unwrap();
        let user = UserId::new("\\".repeat(64));
        let files = (0..MAX_FILES).map(|_| FileId::new()).collect();
        let claims = Claims { user, org: OrgId::new("\"".repeat(64)), files: Some(files), ..claims() };
        let token = ring.sign(&claims);
        assert!(token.len() < MAX_TOKEN / 2, "{}", token.len());
        assert_eq!(ring.verify(&token, NOW), Ok(claims));
    }

    #[test]
    fn a_token_ends_at_its_time_but_stays_authentic() {
        let ring = keyring(&key("k1", 1)).unwrap();
        let claims = claims();
        let token = ring.sign(&claims);
        assert!(ring.verify(&token, Timestamp(claims.expires_at.0 - 1)).is_ok());
        assert_eq!(ring.verify(&token, claims.expires_at), Err(TokenError::Expired));
        assert_eq!(ring.authenticate(&token, claims.expires_at), Ok(claims));
    }

    #[test]
    fn a_token_from_the_future_is_invalid() {
        let ring = keyring(&key("k1", 1)).unwrap();
        let token = ring.sign(&claims());
        assert_eq!(ring.verify(&token, NOW.minus(Duration::from_secs(61))), Err(TokenError::Invalid));
        assert!(ring.verify(&token, NOW.minus(Duration::from_secs(60))).is_ok());
    }

    #[test]
    fn the_first_key_signs_and_all_verify() {
        let old = keyring(&key("old", 1)).unwrap();
        let both = keyring(&format!("{}, {},", key("new", 2), key("old", 1))).unwrap();
        let new = keyring(&key("new", 2)).unwrap();
        assert!(both.verify(&old.sign(&claims()), NOW).is_ok());
        assert!(new.verify(&both.sign(&claims()), NOW).is_ok());
        assert_eq!(old.verify(&both.sign(&claims()), NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn a_key_under_another_name_or_a_name_with_another_key_does_not_verify() {
        let token = keyring(&key("k1", 1)).unwrap().sign(&claims());
        for other in [key("k2", 1), key("k1", 2), key("K1", 1)] {
            assert_eq!(keyring(&other).unwrap().verify(&token, NOW), Err(TokenError::Invalid));
        }
        let renamed = token.replacen(".k1.", ".k2.", 1);
        let both = keyring(&format!("{},{}", key("k1", 1), key("k2", 1))).unwrap();
        assert_eq!(both.verify(&renamed, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn bad_keys_are_refused_without_repeating_them() {
        for keys in ["", " , ", "nokid", ":AAAA", "a.b:AAAA", "k1:AAAA", "k1:%%%"] {
            let message = keyring(keys).unwrap_err();
            assert!(message.contains("tokens.keys") && !message.contains("AAAA"), "{message}");
        }
        let twice = format!("{},{}", key("k1", 1), key("k1", 2));
        assert!(keyring(&twice).unwrap_err().contains("twice"));
    }

    #[test]
    fn a_generated_key_works_and_is_new_each_time() {
        let (a, b) = (Keyring::generate(), Keyring::generate());
        assert_ne!(a.expose(), b.expose());
        let ring = keyring(a.expose()).unwrap();
        assert!(ring.verify(&ring.sign(&claims()), NOW).is_ok());
        assert_eq!(keyring(b.expose()).unwrap().verify(&ring.sign(&claims()), NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn no_padding_or_trailing_bits_make_a_second_spelling() {
        let ring = keyring(&key("k1", 1)).unwrap();
        let token = ring.sign(&claims());
        let (head, last) = token.split_at(token.len() - 1);
        for spelling in [format!("{token}="), format!("{token}."), format!(" {token}"), format!("{token}\n")] {
            assert_eq!(ring.verify(&spelling, NOW), Err(TokenError::Invalid), "{spelling:?}");
        }
        for letter in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_', '+', '/']) {
            let spelling = format!("{head}{letter}");
            assert_eq!(ring.verify(&spelling, NOW).is_ok(), last == letter.to_string(), "{letter}");
        }
    }

    #[test]
    fn a_huge_token_is_refused() {
        let ring = keyring(&key("k1", 1)).unwrap();
        let claims = Claims { jti: "x".repeat(MAX_TOKEN), ..claims() };
        assert_eq!(ring.verify(&ring.sign(&claims), NOW), Err(TokenError::Invalid));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_invalid(position in any::<prop::sample::Index>(), bit in 0u8..8) {
            let ring = keyring(&key("k1", 1)).unwrap();
            let mut bytes = ring.sign(&claims()).into_bytes();
            let index = position.index(bytes.len());
            bytes[index] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert_eq!(ring.verify(&text, NOW), Err(TokenError::Invalid));
            }
        }

        #[test]
        fn a_truncated_token_is_invalid(position in any::<prop::sample::Index>()) {
            let ring = keyring(&key("k1", 1)).unwrap();
            let token = ring.sign(&claims());
            let cut = &token[..position.index(token.len())];
            prop_assert_eq!(ring.verify(cut, NOW), Err(TokenError::Invalid));
        }

        #[test]
        fn any_text_is_invalid(text in "\\PC*") {
            let ring = keyring(&key("k1", 1)).unwrap();
            prop_assert_eq!(ring.verify(&text, NOW), Err(TokenError::Invalid));
            prop_assert_eq!(ring.verify(&format!("v1.k1.{text}"), NOW), Err(TokenError::Invalid));
        }
    }
}
