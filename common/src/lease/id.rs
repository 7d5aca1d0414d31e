//! Names of leases. They stand in the addresses of playlists and segments, so nobody may guess one.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// 128 random bits; 22 characters, safe in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String)]
pub struct LeaseId([u8; 16]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a lease")]
pub struct InvalidLeaseId;

impl LeaseId {
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for LeaseId {
    type Err = InvalidLeaseId;

    /// The engine refuses padding and stray trailing bits, so a lease has one spelling.
    fn from_str(text: &str) -> Result<Self, InvalidLeaseId> {
        let mut bytes = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Ok(Self(bytes)),
            _ => Err(InvalidLeaseId),
        }
    }
}

impl Serialize for LeaseId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LeaseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_one_spelling_and_is_never_the_same() {
        let id = LeaseId::random();
        let text = id.to_string();
        assert_eq!(text.len(), 22);
        assert_eq!(text.parse(), Ok(id));
        assert_ne!(LeaseId::random(), id);
        for wrong in ["", "A", &text[1..], &format!("{text}="), &format!("{text}A"), &format!("{text}AA"), "é"] {
            assert_eq!(wrong.parse::<LeaseId>(), Err(InvalidLeaseId), "{wrong}");
        }
        let spellings = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
        let same = spellings.filter(|last| format!("{}{last}", &text[..21]).parse() == Ok(id)).count();
        assert_eq!(same, 1, "trailing bits give no second spelling");
    }
}
