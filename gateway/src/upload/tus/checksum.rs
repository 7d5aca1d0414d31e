//! `Upload-Checksum` and `Repr-Digest`: what a client says its bytes sum up to, and whether they do. Pure.

use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// As `Tus-Checksum-Algorithm` lists them.
pub(super) const ALGORITHMS: &str = "sha256,sha1,crc32c";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksum {
    algorithm: Algorithm,
    wanted: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha1,
    Crc32c,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadChecksum {
    /// Not a name and base64 of the right length.
    Malformed,
    Unknown,
}

impl Algorithm {
    const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha1 => 20,
            Self::Crc32c => 4,
        }
    }
}

impl Checksum {
    /// `sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`.
    pub(crate) fn parse(header: &str) -> Result<Self, BadChecksum> {
        let (name, value) = header.split_once(' ').ok_or(BadChecksum::Malformed)?;
        let algorithm = match name.to_ascii_lowercase().as_str() {
            "sha256" => Algorithm::Sha256,
            "sha1" => Algorithm::Sha1,
            "crc32c" => Algorithm::Crc32c,
            _ => return Err(BadChecksum::Unknown),
        };
        let wanted = STANDARD.decode(value.trim()).map_err(|_| BadChecksum::Malformed)?;
        if wanted.len() == algorithm.length() { Ok(Self { algorithm, wanted }) } else { Err(BadChecksum::Malformed) }
    }

    /// The SHA-256 of a `Content-Digest` header, if it has one.
    pub(super) fn of_digest(header: &str) -> Result<Option<Self>, BadChecksum> {
        let found = repr_sha256(header)?;
        Ok(found.map(|wanted| Self { algorithm: Algorithm::Sha256, wanted: wanted.to_vec() }))
    }

    pub(super) fn begin(self) -> Summing {
        let sum = match self.algorithm {
            Algorithm::Sha256 => Sum::Sha256(Sha256::new()),
            Algorithm::Sha1 => Sum::Sha1(Sha1::new()),
            Algorithm::Crc32c => Sum::Crc32c(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
        };
        Summing { sum, wanted: self.wanted }
    }
}

enum Sum {
    Sha256(Sha256),
    Sha1(Sha1),
    Crc32c(crc_fast::Digest),
}

/// A sum under way.
pub(super) struct Summing {
    sum: Sum,
    wanted: Vec<u8>,
}

impl Summing {
    pub(super) fn update(&mut self, data: &[u8]) {
        match &mut self.sum {
            Sum::Sha256(sum) => sum.update(data),
            Sum::Sha1(sum) => sum.update(data),
            Sum::Crc32c(sum) => sum.update(data),
        }
    }

    pub(super) fn holds(self) -> bool {
        let found = match self.sum {
            Sum::Sha256(sum) => sum.finalize().to_vec(),
            Sum::Sha1(sum) => sum.finalize().to_vec(),
            // Big-endian, as RFC 3720 and every store's header have it.
            Sum::Crc32c(sum) => sum.finalize().to_be_bytes()[4..].to_vec(),
        };
        found == self.wanted
    }
}

/// The SHA-256 of a `Repr-Digest` header (RFC 9530), if it has one; other algorithms are for others.
///
/// # Errors
/// It names SHA-256 with something that is none.
pub(crate) fn repr_sha256(header: &str) -> Result<Option<[u8; 32]>, BadChecksum> {
    let mut found = None;
    for member in header.split(',') {
        let (name, value) = member.split_once('=').ok_or(BadChecksum::Malformed)?;
        if !name.trim().eq_ignore_ascii_case("sha-256") {
            continue;
        }
        let value = value.trim();
        let value = value.strip_prefix(':').and_then(|value| value.strip_suffix(':')).ok_or(BadChecksum::Malformed)?;
        let value = STANDARD.decode(value).map_err(|_| BadChecksum::Malformed)?;
        found = Some(value.try_into().map_err(|_| BadChecksum::Malformed)?);
    }
    Ok(found)
}

/// `Repr-Digest` of a file, from the hexadecimal of its row.
pub(crate) fn repr_digest(sha256: &str) -> Option<String> {
    let digits = sha256.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
    Some(format!("sha-256=:{}:", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(header: &str, data: &[u8]) -> bool {
        let mut summing = Checksum::parse(header).unwrap().begin();
        summing.update(data);
        summing.holds()
    }

    #[test]
    fn sums_of_known_texts_hold_and_of_others_do_not() {
        let known = [
            "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
            "sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
            "crc32c mnG7TA==",
        ];
        for header in known {
            assert!(holds(header, b"hello"), "{header}");
            assert!(!holds(header, b"hellO"), "{header}");
        }
    }

    #[test]
    fn what_is_no_checksum_is_told_from_what_is_unknown() {
        assert_eq!(Checksum::parse("md5 1B2M2Y8AsgTpgAmY7PhCfg=="), Err(BadChecksum::Unknown));
        for wrong in ["sha1", "sha1 !", "sha1 qg==", ""] {
            assert_eq!(Checksum::parse(wrong), Err(BadChecksum::Malformed), "{wrong}");
        }
    }

    #[test]
    fn a_digest_of_the_whole_reads_back() {
        let said = repr_digest("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824").unwrap();
        assert_eq!(said, "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:");
        let read = repr_sha256(&format!("sha-512=:AAAA:, {said}")).unwrap().unwrap();
        assert_eq!((read[0], read[31]), (0x2c, 0x24));
        assert_eq!(repr_sha256("sha-512=:AAAA:"), Ok(None));
        assert_eq!(repr_sha256("sha-256=AAAA"), Err(BadChecksum::Malformed));
        assert_eq!(repr_digest(""), None);
    }
}
