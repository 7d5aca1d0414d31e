//! The address of an upload: 128 bits of chance that are the right to go on with it. The database knows their digest alone.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore;
use reelgate_common::hex::hex;
use sha2::{Digest, Sha256};

const ROOT: &str = "/v1/uploads/";
const SECRET_BYTES: usize = 16;
/// Base64url of so many bytes.
const SECRET_LENGTH: usize = 22;

/// What the last segment of an upload's path says. Never logged: it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; SECRET_BYTES]);

impl Secret {
    pub(super) fn random() -> Self {
        let mut bytes = [0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// `None` for what no address of ours ends with.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != SECRET_LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Of a file that is put together of these pieces. Who asks twice gets the same one, and only who knows all pieces can tell it.
    pub(super) fn of_pieces(pieces: &[Self]) -> Self {
        let mut digest = Sha256::new_with_prefix(b"reelgate final upload\n");
        pieces.iter().for_each(|piece| digest.update(piece.0));
        let digest: [u8; 32] = digest.finalize().into();
        let mut bytes = [0; SECRET_BYTES];
        bytes.copy_from_slice(&digest[..SECRET_BYTES]);
        Self(bytes)
    }

    /// What the database keeps. The secret is as long as a key, so nothing has to make guessing slower.
    pub(crate) fn digest(&self) -> String {
        hex(&Sha256::digest(self.0))
    }

    pub(super) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(super) fn path(&self) -> String {
        format!("{ROOT}{}", self.text())
    }

    /// Of an address that a client names, with or without scheme and host.
    pub(super) fn of_address(address: &str) -> Option<Self> {
        let at = address.rfind(ROOT)?;
        let before = &address[..at];
        let is_ours = before.is_empty() || before.starts_with("http://") || before.starts_with("https://");
        if is_ours { Self::parse(&address[at + ROOT.len()..]) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_in_every_spelling_a_client_may_use() {
        let secret = Secret::random();
        for address in [secret.path(), format!("https://a.example{}", secret.path())] {
            assert!(Secret::of_address(&address) == Some(secret.clone()), "{address}");
        }
        for wrong in [
            String::new(),
            ROOT.to_owned(),
            format!("{ROOT}short"),
            format!("{}x", secret.path()),
            format!("x{}", secret.path()),
        ] {
            assert!(Secret::of_address(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_same_pieces_in_the_same_order_are_one_upload() {
        let (a, b) = (Secret::random(), Secret::random());
        let of = |pieces: &[Secret]| Secret::of_pieces(pieces).digest();
        assert_eq!(of(&[a.clone(), b.clone()]), of(&[a.clone(), b.clone()]));
        assert_ne!(of(std::slice::from_ref(&a)), a.digest());
        assert_ne!(of(&[a.clone(), b.clone()]), of(&[b, a]));
    }
}
