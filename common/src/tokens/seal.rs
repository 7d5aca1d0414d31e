//! Small secrets that the database keeps and a gateway must read again: sealed with AES-256-GCM under a key that is made from one of the
//! keyring's, so that a stolen database alone gives nothing away.
//!
//! A sealed text reads `s1.{kid}.{base64url(nonce ‖ ciphertext ‖ tag)}` and is bound to its purpose: the row that it stands in.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;

use super::keyring::{Key, Keyring};

const VERSION: &str = "s1";
/// What tokens are signed over begins with their version, so no token is this.
const DERIVATION: &[u8] = b"reelgate/sealed secrets/1";

/// It was sealed for another purpose, changed, or under a key that the keyring does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret cannot be opened: its key is not in tokens.keys, or it was changed")]
pub struct SealBroken;

impl Keyring {
    /// Seals with the first key.
    #[must_use]
    pub fn seal(&self, purpose: &str, text: &str) -> String {
        let key = self.first();
        let mut bytes = text.as_bytes().to_vec();
        let nonce = sealing(key)
            .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut bytes)
            .expect("a few bytes are never too many");
        let sealed = [nonce.as_ref().as_slice(), &bytes].concat();
        format!("{VERSION}.{}.{}", key.kid, URL_SAFE_NO_PAD.encode(sealed))
    }

    /// # Errors
    /// The text is not what was sealed for this purpose with one of the keys.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<String, SealBroken> {
        self.opened(purpose, sealed).ok_or(SealBroken)
    }

    /// How texts begin that are sealed with the first key. Others should be sealed anew before their key goes.
    #[must_use]
    pub fn seal_prefix(&self) -> String {
        format!("{VERSION}.{}.", self.first().kid)
    }

    fn opened(&self, purpose: &str, sealed: &str) -> Option<String> {
        let (kid, text) = sealed.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        let open = sealing(self.named(kid)?).open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut rest).ok()?;
        String::from_utf8(open.to_vec()).ok()
    }
}

fn sealing(key: &Key) -> RandomizedNonceKey {
    let derived = key.mac.clone().chain_update(DERIVATION).finalize().into_bytes();
    RandomizedNonceKey::new(&AES_256_GCM, &derived).expect("HMAC-SHA256 gives the 32 bytes that it takes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Secret, tokens::config::TokensConfig};

    fn ring(keys: &[(&str, u8)]) -> Keyring {
        let keys = keys.iter().map(|(kid, byte)| format!("{kid}:{}", URL_SAFE_NO_PAD.encode([*byte; 32])));
        let keys = Secret::new(keys.collect::<Vec<_>>().join(","));
        Keyring::new(&TokensConfig { keys, ..TokensConfig::default() }).unwrap()
    }

    #[test]
    fn what_is_sealed_is_read_again_for_its_purpose_only() {
        let ring = ring(&[("k1", 1)]);
        let sealed = ring.seal("webhook 7", "whsec_x");
        assert!(sealed.starts_with(&ring.seal_prefix()) && !sealed.contains("whsec"));
        assert_ne!(sealed, ring.seal("webhook 7", "whsec_x"), "each has a nonce of its own");
        assert_eq!(ring.open("webhook 7", &sealed), Ok("whsec_x".to_owned()));
        assert_eq!(ring.open("webhook 8", &sealed), Err(SealBroken));
    }

    #[test]
    fn an_old_key_opens_until_it_is_gone() {
        let sealed = ring(&[("old", 1)]).seal("p", "secret");
        let both = ring(&[("new", 2), ("old", 1)]);
        assert_eq!(both.open("p", &sealed), Ok("secret".to_owned()));
        assert!(!sealed.starts_with(&both.seal_prefix()));
        for without in [ring(&[("new", 2)]), ring(&[("old", 2)])] {
            assert_eq!(without.open("p", &sealed), Err(SealBroken));
        }
    }

    #[test]
    fn a_bent_text_is_not_opened() {
        let ring = ring(&[("k1", 1)]);
        let sealed = ring.seal("p", "secret");
        for at in 0..sealed.len() {
            let mut bent = sealed.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ring.open("p", &String::from_utf8(bent).unwrap()), Err(SealBroken), "{at}");
        }
        for other in ["", "s1", "s1.k1", "s1.k1.", "s1.k1.AAAA", "whsec_plain"] {
            assert_eq!(ring.open("p", other), Err(SealBroken), "{other}");
        }
    }
}
