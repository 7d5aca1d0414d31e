//! What people say about a file besides its name: tags, metadata, and when it ends. Which of it is taken, and how changes are
//! merged. Pure.

use std::collections::BTreeMap;

use crate::timestamp::Timestamp;

/// Of one file.
pub const MAX_TAGS: usize = 32;
/// Characters of a tag, and of a name in the metadata.
pub const MAX_WORD: usize = 64;
/// Pairs of one file's metadata.
pub const MAX_PAIRS: usize = 64;
/// Characters of a value.
pub const MAX_VALUE: usize = 1_024;
/// Bytes of all names and values together: a list shows two hundred files.
pub const MAX_METADATA: usize = 8 * 1_024;

pub type Metadata = BTreeMap<String, String>;
/// `None` takes the pair away.
pub type MetadataChange = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Each once, in the order given.
    pub tags: Vec<String>,
    pub metadata: Metadata,
    /// From then on the file is as good as deleted.
    pub expires_at: Option<Timestamp>,
}

/// What is wrong, in a sentence.
pub type Why = &'static str;

/// The tag as it is kept.
///
/// # Errors
/// It is empty, too long, or holds a comma or a control character.
pub fn tag(text: &str) -> Result<String, Why> {
    let text = text.trim();
    if text.contains(',') {
        return Err("A tag holds no comma");
    }
    word(text).map(str::to_owned)
}

/// All tags of a file, each once.
///
/// # Errors
/// The index of the one that is none; past the last when there are too many.
pub fn tags<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, (usize, Why)> {
    let mut tags = Vec::new();
    for (index, text) in texts.into_iter().enumerate() {
        let tag = tag(text).map_err(|why| (index, why))?;
        if tags.contains(&tag) {
            continue;
        }
        if tags.len() == MAX_TAGS {
            return Err((index, "A file has at most 32 tags"));
        }
        tags.push(tag);
    }
    Ok(tags)
}

/// Whether a pair may be kept.
///
/// # Errors
/// The name is no word, or the value is too long or holds a control character other than tab and line feed.
pub fn pair(name: &str, value: &str) -> Result<(), Why> {
    word(name)?;
    if value.chars().count() > MAX_VALUE {
        return Err("A value has at most 1,024 characters");
    }
    let shown = |letter: char| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r');
    if value.chars().all(shown) { Ok(()) } else { Err("A value holds no control character but tab and line feed") }
}

/// What the change makes of the metadata.
///
/// # Errors
/// It would be too much.
pub fn merged(mut metadata: Metadata, change: &MetadataChange) -> Result<Metadata, Why> {
    for (name, value) in change {
        match value {
            Some(value) => metadata.insert(name.clone(), value.clone()),
            None => metadata.remove(name),
        };
    }
    if metadata.len() > MAX_PAIRS {
        return Err("A file has at most 64 pairs of metadata");
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MAX_METADATA { Err("The metadata of a file is at most 8 KiB") } else { Ok(metadata) }
}

fn word(text: &str) -> Result<&str, Why> {
    match text.chars().count() {
        0 => Err("It must not be empty"),
        1..=MAX_WORD if text.chars().any(char::is_control) => Err("It must hold no control character"),
        1..=MAX_WORD => Ok(text),
        _ => Err("It has at most 64 characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_trimmed_and_kept_once() {
        assert_eq!(tags([" summer ", "Überblick", "summer"]).unwrap(), ["summer", "Überblick"]);
        assert_eq!(tags(["Summer", "summer"]).unwrap().len(), 2, "letters count as they are");
    }

    #[test]
    fn what_is_no_tag_is_named() {
        for wrong in ["", "  ", "a,b", "a\nb", &"x".repeat(MAX_WORD + 1)] {
            assert_eq!(tags(["fine", wrong]).unwrap_err().0, 1, "{wrong:?}");
        }
        assert!(tag(&"ß".repeat(MAX_WORD)).is_ok());
        let many: Vec<String> = (0..=MAX_TAGS).map(|n| n.to_string()).collect();
        assert_eq!(tags(many.iter().map(String::as_str)).unwrap_err().0, MAX_TAGS);
    }

    #[test]
    fn a_change_adds_replaces_and_takes_away() {
        let before = Metadata::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        let change = MetadataChange::from([
            ("a".to_owned(), None),
            ("b".to_owned(), Some("3".to_owned())),
            ("c".to_owned(), Some(String::new())),
            ("d".to_owned(), None),
        ]);
        let after = merged(before, &change).unwrap();
        assert_eq!(after, Metadata::from([("b".to_owned(), "3".to_owned()), ("c".to_owned(), String::new())]));
    }

    #[test]
    fn metadata_has_its_limits() {
        let pairs = |count: usize, value: &str| -> MetadataChange {
            (0..count).map(|n| (n.to_string(), Some(value.to_owned()))).collect()
        };
        assert!(merged(Metadata::new(), &pairs(MAX_PAIRS, "v")).is_ok());
        assert!(merged(Metadata::new(), &pairs(MAX_PAIRS + 1, "v")).is_err());
        assert!(merged(Metadata::new(), &pairs(9, &"v".repeat(MAX_VALUE))).is_err());
        assert!(pair("name", "two\nlines").is_ok());
        assert!(pair("", "v").is_err() && pair("n", "a\0b").is_err() && pair("n", &"v".repeat(MAX_VALUE + 1)).is_err());
    }
}
