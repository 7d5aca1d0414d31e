//! `Upload-Metadata`: names with values in base64. Pure.

use base64::{Engine, engine::general_purpose::STANDARD};
use reelgate_common::labels::{self, Labels, MAX_PAIRS};

use crate::upload::fields;

/// More is refused: it is kept and sent back with every `HEAD`.
pub(super) const MAX_METADATA: usize = 4 * 1024;

/// Pairs in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Metadata {
    pairs: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadMetadata;

impl Metadata {
    /// # Errors
    /// It is too long, a name is empty, there twice or no ASCII, or a value is no base64.
    pub(crate) fn parse(header: &str) -> Result<Self, BadMetadata> {
        let mut read = Self::default();
        if header.len() > MAX_METADATA {
            return Err(BadMetadata);
        }
        for pair in header.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = STANDARD.decode(value.trim()).map_err(|_| BadMetadata)?;
            let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
            if !fits || read.get(name).is_some() {
                return Err(BadMetadata);
            }
            read.pairs.push((name.to_owned(), value));
        }
        Ok(read)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// The value as text, if it is one.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.get(name)?.to_vec()).ok()
    }

    /// What of it the file bears: `tags` and `expires_at` as what they are, all other pairs that are text as its metadata. What does not fit
    /// there is said again by `HEAD` alone.
    ///
    /// # Errors
    /// `tags` or `expires_at` cannot be read.
    pub(super) fn labels(&self) -> Result<Labels, BadMetadata> {
        let mut labels = Labels::default();
        for (name, value) in &self.pairs {
            match (name.as_str(), std::str::from_utf8(value)) {
                ("filename" | "name" | "filetype" | "type", _) => {}
                ("tags", text) => {
                    labels.tags = fields::tags(text.map_err(|_| BadMetadata)?).map_err(|_| BadMetadata)?;
                }
                ("expires_at", text) => {
                    labels.expires_at = fields::expiry(text.map_err(|_| BadMetadata)?).map_err(|_| BadMetadata)?;
                }
                (name, Ok(text)) if labels::pair(name, text).is_ok() && labels.metadata.len() < MAX_PAIRS => {
                    labels.metadata.insert(name.to_owned(), text.to_owned());
                }
                _ => {}
            }
        }
        Ok(labels)
    }

    /// Puts a value in the place of the client's.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.pairs.retain(|(known, _)| known != name);
        self.pairs.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    /// As a header says it.
    pub(crate) fn header(&self) -> String {
        let pair = |(name, value): &(String, Vec<u8>)| match value.is_empty() {
            true => name.clone(),
            false => format!("{name} {}", STANDARD.encode(value)),
        };
        self.pairs.iter().map(pair).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_shows_is_read_and_said_again() {
        let header = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential";
        let read = Metadata::parse(header).unwrap();
        assert_eq!(read.text("filename").as_deref(), Some("world_domination_plan.pdf"));
        assert_eq!(read.get("is_confidential"), Some(&b""[..]));
        assert_eq!(read.header(), header);
        assert_eq!(Metadata::parse(""), Ok(Metadata::default()));
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        for wrong in ["a !", "a YQ==,a YQ==", "\u{e4} YQ==", "a YQ== YQ==", &"a".repeat(MAX_METADATA + 1)] {
            assert_eq!(Metadata::parse(wrong), Err(BadMetadata), "{wrong}");
        }
    }

    #[test]
    fn a_file_bears_what_its_metadata_says() {
        // album=Sommer, tags="a, b", expires_at=2126-11-30T12:00:00Z, raw=\xff
        let header =
            "filename YS5tcDQ=,album U29tbWVy,tags YSwgYg==,expires_at MjEyNi0xMS0zMFQxMjowMDowMFo=,raw /w==,flag";
        let labels = Metadata::parse(header).unwrap().labels().unwrap();
        assert_eq!(labels.tags, ["a", "b"]);
        let pairs: Vec<_> = labels.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("album", "Sommer"), ("flag", "")]);
        assert_eq!(labels.expires_at.map(|at| at.to_string()).as_deref(), Some("2126-11-30T12:00:00Z"));
    }

    #[test]
    fn tags_and_times_that_are_none_are_refused() {
        for wrong in ["expires_at eA==", "expires_at MjAwMC0xMS0zMFQxMjowMDowMFo=", "tags /w=="] {
            assert_eq!(Metadata::parse(wrong).unwrap().labels(), Err(BadMetadata), "{wrong}");
        }
        assert_eq!(Metadata::parse("tags,expires_at").unwrap().labels(), Ok(Labels::default()));
    }
}
