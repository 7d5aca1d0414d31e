//! The only place that knows how objects are named. User text never becomes part of a key.

use std::{fmt, str::FromStr};

use crate::ids::{FileId, OrgId};

/// Name of an object, relative to the storage prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The raw upload before it is accepted: `staging/{org}/{file}`.
    Staging { org: OrgId, file: FileId },
    /// What has come of a resumable upload behind its last part: `staging/{org}/{file}.{number}`.
    Tail { org: OrgId, file: FileId, number: i64 },
    /// The raw upload after promotion: `media/{org}/{file}/source`.
    Source { org: OrgId, file: FileId },
    /// What one attempt made: `media/{org}/{file}/{generation}/{attempt}/{name}`.
    Output { org: OrgId, file: FileId, generation: i64, attempt: i64, name: String },
    /// What a person has added to a file: `media/{org}/{file}/captions/{name}`.
    Captions { org: OrgId, file: FileId, name: String },
    /// Which deployment owns this prefix: `deployment`.
    Deployment,
}

/// A text that no `Key` has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an object key of this product")]
pub struct InvalidKey(pub String);

impl Key {
    /// Folder of all objects of one file but its staging object: `media/{org}/{file}/`.
    #[must_use]
    pub fn file_prefix(org: &OrgId, file: FileId) -> String {
        format!("media/{}/{file}/", encode(org.as_str()))
    }

    /// Folder of one attempt: `media/{org}/{file}/{generation}/{attempt}/`.
    #[must_use]
    pub fn attempt_prefix(org: &OrgId, file: FileId, generation: i64, attempt: i64) -> String {
        format!("{}{generation}/{attempt}/", Self::file_prefix(org, file))
    }

    /// What names of all tails of one upload begin with: `staging/{org}/{file}.`.
    #[must_use]
    pub fn tail_prefix(org: &OrgId, file: FileId) -> String {
        format!("staging/{}/{file}.", encode(org.as_str()))
    }

    /// The file this object belongs to, if any.
    #[must_use]
    pub fn file(&self) -> Option<FileId> {
        match self {
            Self::Staging { file, .. }
            | Self::Tail { file, .. }
            | Self::Source { file, .. }
            | Self::Output { file, .. }
            | Self::Captions { file, .. } => Some(*file),
            Self::Deployment => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Staging { org, file } => write!(f, "staging/{}/{file}", encode(org.as_str())),
            Self::Tail { org, file, number } => write!(f, "staging/{}/{file}.{number}", encode(org.as_str())),
            Self::Source { org, file } => write!(f, "{}source", Self::file_prefix(org, *file)),
            Self::Output { org, file, generation, attempt, name } => {
                write!(f, "{}{name}", Self::attempt_prefix(org, *file, *generation, *attempt))
            }
            Self::Captions { org, file, name } => write!(f, "{}captions/{name}", Self::file_prefix(org, *file)),
            Self::Deployment => f.write_str("deployment"),
        }
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let invalid = || InvalidKey(text.to_owned());
        let org = |part: &str| decode(part).map(OrgId::new).ok_or_else(invalid);
        let file = |part: &str| part.parse::<FileId>().map_err(|_| invalid());
        let number = |part: &str| part.parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(invalid);
        let parts: Vec<&str> = text.split('/').collect();
        let key = match *parts {
            ["deployment"] => Self::Deployment,
            ["staging", o, f] => match f.split_once('.') {
                None => Self::Staging { org: org(o)?, file: file(f)? },
                Some((f, n)) => Self::Tail { org: org(o)?, file: file(f)?, number: number(n)? },
            },
            ["media", o, f, "source"] => Self::Source { org: org(o)?, file: file(f)? },
            ["media", o, f, "captions", name] if is_output_name(name) => {
                Self::Captions { org: org(o)?, file: file(f)?, name: name.to_owned() }
            }
            ["media", o, f, g, a, name] if is_output_name(name) => Self::Output {
                org: org(o)?,
                file: file(f)?,
                generation: number(g)?,
                attempt: number(a)?,
                name: name.to_owned(),
            },
            _ => return Err(invalid()),
        };
        // Numbers and ids can be written in several ways, objects of other names are not ours.
        if key.to_string() == text { Ok(key) } else { Err(invalid()) }
    }
}

/// Output names are ours: lower-case letters, digits, `.`, `_` and `-`, not starting with a dot.
fn is_output_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
}

/// Organisation names come from an identity provider: whatever is not a letter, digit, `-` or `_` is written `=XX`.
fn encode(org: &str) -> String {
    let mut out = String::with_capacity(org.len());
    for byte in org.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
    }
    if out.is_empty() { "=".to_owned() } else { out }
}

fn decode(part: &str) -> Option<String> {
    if part == "=" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        let pair = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
    }
    let text = String::from_utf8(bytes).ok()?;
    (encode(&text) == part).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn organisation_text_cannot_leave_its_folder() {
        let file = FileId::new();
        let key = Key::Staging { org: OrgId::new("../../etc"), file };
        assert_eq!(key.to_string(), format!("staging/=2E=2E=2F=2E=2E=2Fetc/{file}"));
    }

    #[test]
    fn foreign_names_are_no_keys() {
        let bad = ["", "staging", "media/acme/x/source", "staging/a/../b", "media//x", "/deployment"];
        for text in bad {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_has_one_spelling() {
        let key = "media/acme/018f4b1e-0000-7000-8000-00000a000001/1/2/720p.mp4";
        assert!(key.parse::<Key>().is_ok());
        for other in
            [key.replace("0a0", "0A0"), key.replace('-', ""), key.replace("/1/", "/+1/"), key.replace("/2/", "/02/")]
        {
            assert!(other.parse::<Key>().is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back(org in ".*", generation in 0i64.., attempt in 0i64..) {
            let (org, file) = (OrgId::new(org), FileId::new());
            let name = "720p.mp4".to_owned();
            for key in [
                Key::Staging { org: org.clone(), file },
                Key::Tail { org: org.clone(), file, number: generation },
                Key::Source { org: org.clone(), file },
                Key::Captions { org: org.clone(), file, name: "en-1.vtt".to_owned() },
                Key::Output { org, file, generation, attempt, name },
            ] {
                prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
            }
        }
    }
}
