//! The fields of a form that say something about the files behind them: `tags`, `metadata`, `expires_at`. Pure.

use reelgate_common::{
    labels::{self, Labels, MetadataChange, Why},
    timestamp::Timestamp,
};
use serde_json::{Map, Value};

use super::error::UploadError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Tags,
    Metadata,
    ExpiresAt,
}

impl Field {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "tags" => Some(Self::Tags),
            "metadata" => Some(Self::Metadata),
            "expires_at" => Some(Self::ExpiresAt),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Metadata => "metadata",
            Self::ExpiresAt => "expires_at",
        }
    }

    /// `tags` and `metadata` add to what earlier fields of the form said.
    ///
    /// # Errors
    /// The text is not what the field is for.
    pub(super) fn read(self, text: &[u8], labels: &mut Labels) -> Result<(), UploadError> {
        let refused = |why| UploadError::BadField { name: self.name(), why };
        let text = std::str::from_utf8(text).map_err(|_| refused("Input should be text in UTF-8"))?;
        let read = match self {
            Self::Tags => more_tags(&labels.tags, text).map(|tags| labels.tags = tags),
            Self::Metadata => pairs(text)
                .and_then(|pairs| labels::merged(std::mem::take(&mut labels.metadata), &pairs))
                .map(|metadata| labels.metadata = metadata),
            Self::ExpiresAt => expiry(text).map(|at| labels.expires_at = at),
        };
        read.map_err(refused)
    }
}

/// Tags with commas between them.
///
/// # Errors
/// One of them is none.
pub(super) fn tags(text: &str) -> Result<Vec<String>, Why> {
    more_tags(&[], text)
}

fn more_tags(known: &[String], text: &str) -> Result<Vec<String>, Why> {
    let more = text.split(',').filter(|tag| !tag.trim().is_empty());
    labels::tags(known.iter().map(String::as_str).chain(more)).map_err(|(_, why)| why)
}

/// A time that lies ahead; an empty text is never.
///
/// # Errors
/// It is no time, or over.
pub(super) fn expiry(text: &str) -> Result<Option<Timestamp>, Why> {
    if text.is_empty() {
        return Ok(None);
    }
    let at = Timestamp::parse(text).ok_or("Input should be a time as in RFC 3339, e.g. 2026-11-30T12:00:00Z")?;
    if at <= Timestamp::now() { Err("Input should be in the future") } else { Ok(Some(at)) }
}

/// An object of strings.
fn pairs(text: &str) -> Result<MetadataChange, Why> {
    let pairs: Map<String, Value> = serde_json::from_str(text).map_err(|_| "Input should be a JSON object")?;
    let pair = |(name, value): (String, Value)| match value {
        Value::String(value) => labels::pair(&name, &value).map(|()| (name, Some(value))),
        _ => Err("Values of metadata are strings"),
    };
    pairs.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Labels, String> {
        let mut labels = Labels::default();
        for (name, text) in fields {
            Field::named(name).unwrap().read(text.as_bytes(), &mut labels).map_err(|error| error.to_string())?;
        }
        Ok(labels)
    }

    #[test]
    fn fields_add_up() {
        let at = "2126-11-30T12:00:00Z";
        let labels = read(&[
            ("tags", "a, b,"),
            ("tags", "b,c"),
            ("metadata", r#"{"k": "v"}"#),
            ("metadata", r#"{"k": "w", "l": ""}"#),
            ("expires_at", at),
        ])
        .unwrap();
        assert_eq!(labels.tags, ["a", "b", "c"]);
        assert_eq!(serde_json::to_string(&labels.metadata).unwrap(), r#"{"k":"w","l":""}"#);
        assert_eq!(labels.expires_at, Timestamp::parse(at));
        assert_eq!(read(&[("tags", ""), ("expires_at", "")]).unwrap(), Labels::default());
        assert!(Field::named("title").is_none());
    }

    #[test]
    fn what_a_field_is_not_for_is_refused() {
        let many = (0..=labels::MAX_TAGS).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        for (name, text) in [
            ("tags", many.as_str()),
            ("tags", "a\nb"),
            ("metadata", "[]"),
            ("metadata", r#"{"k": null}"#),
            ("metadata", r#"{"": "v"}"#),
            ("expires_at", "tomorrow"),
            ("expires_at", "2000-01-01T00:00:00Z"),
        ] {
            assert!(read(&[(name, text)]).is_err(), "{name} {text}");
        }
    }
}
