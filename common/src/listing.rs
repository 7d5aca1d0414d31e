//! How a list of files is narrowed, in which order it comes, and where a page of it ends. Pure; knows no database and no HTTP.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use unicode_normalization::UnicodeNormalization;

use crate::{
    UnknownWord,
    file::{FileKind, FileRecord, FileState},
    ids::{FileId, UserId},
    timestamp::Timestamp,
};

/// `GET /v1/files`. What is empty or `None` narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct FileFilter {
    /// Any of these.
    pub states: Vec<FileState>,
    /// Any of these.
    pub kinds: Vec<FileKind>,
    pub owner: Option<UserId>,
    /// From here on.
    pub created_after: Option<Timestamp>,
    /// Before, not at.
    pub created_before: Option<Timestamp>,
    /// Bytes, inclusive.
    pub size_min: Option<u64>,
    /// Bytes, inclusive.
    pub size_max: Option<u64>,
    /// Text in the name, folded by `name_key`.
    pub name: Option<String>,
    /// All of these.
    pub tags: Vec<String>,
    /// Those that end before, not at.
    pub expires_before: Option<Timestamp>,
    /// What is in the trash, instead of what is not.
    pub trashed: bool,
    pub sort: Sort,
    /// Only what comes after this place: the last of the page before.
    pub after: Option<Place>,
    /// 1 to 200.
    pub limit: u64,
}

/// An order, by a column and then by id, both in the same direction. As a word: `name`, or `-name` for the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub by: SortBy,
    pub descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    CreatedAt,
    UpdatedAt,
    Size,
    /// As folded by `name_key`, by its code points.
    Name,
}

/// Where a file stands in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub key: PlaceKey,
    pub id: FileId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceKey {
    Number(i64),
    Text(String),
}

impl Default for Sort {
    /// The newest first.
    fn default() -> Self {
        Self { by: SortBy::CreatedAt, descending: true }
    }
}

impl Sort {
    pub const ALL: [&'static str; 8] =
        ["created_at", "-created_at", "updated_at", "-updated_at", "size", "-size", "name", "-name"];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match (self.by, self.descending) {
            (SortBy::CreatedAt, false) => "created_at",
            (SortBy::CreatedAt, true) => "-created_at",
            (SortBy::UpdatedAt, false) => "updated_at",
            (SortBy::UpdatedAt, true) => "-updated_at",
            (SortBy::Size, false) => "size",
            (SortBy::Size, true) => "-size",
            (SortBy::Name, false) => "name",
            (SortBy::Name, true) => "-name",
        }
    }

    #[must_use]
    pub fn place_of(self, file: &FileRecord) -> Place {
        let key = match self.by {
            SortBy::CreatedAt => PlaceKey::Number(file.created_at.0),
            SortBy::UpdatedAt => PlaceKey::Number(file.updated_at.0),
            SortBy::Size => PlaceKey::Number(i64::try_from(file.size_bytes).unwrap_or(i64::MAX)),
            SortBy::Name => PlaceKey::Text(file.name_key.clone()),
        };
        Place { key, id: file.id }
    }

    /// The place as a client keeps it: it says of which order it is.
    #[must_use]
    pub fn cursor(self, place: &Place) -> String {
        let key = match &place.key {
            PlaceKey::Number(number) => number.to_string(),
            PlaceKey::Text(text) => text.clone(),
        };
        URL_SAFE_NO_PAD.encode(format!("{} {} {key}", self.word(), place.id))
    }

    /// The place that a cursor of this very order says; `None` for any other text.
    #[must_use]
    pub fn place(self, cursor: &str) -> Option<Place> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        if parts.next()? != self.word() {
            return None;
        }
        let id = parts.next()?.parse().ok()?;
        let key = parts.next()?;
        let key = match self.by {
            // Postgres takes no NUL in a text, and no name has one.
            SortBy::Name => PlaceKey::Text(Some(key).filter(|key| !key.contains('\0'))?.to_owned()),
            SortBy::CreatedAt | SortBy::UpdatedAt | SortBy::Size => PlaceKey::Number(key.parse().ok()?),
        };
        Some(Place { key, id })
    }
}

impl FromStr for Sort {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let by = match name {
            "created_at" => SortBy::CreatedAt,
            "updated_at" => SortBy::UpdatedAt,
            "size" => SortBy::Size,
            "name" => SortBy::Name,
            _ => return Err(UnknownWord { word: text.to_owned(), set: "order" }),
        };
        Ok(Self { by, descending })
    }
}

/// A name as it is searched and sorted by: composed (NFC) and in lower case, the same for both databases, which each know other
/// letters. Never empty.
#[must_use]
pub fn name_key(name: &str) -> String {
    let folded: String = name.nfc().flat_map(char::to_lowercase).nfc().collect();
    if folded.is_empty() { " ".to_owned() } else { folded }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_order_has_its_word() {
        for word in Sort::ALL {
            assert_eq!(word.parse::<Sort>().unwrap().word(), word);
        }
        for wrong in ["", "-", "--size", "Size", "owner", "+size"] {
            assert!(wrong.parse::<Sort>().is_err(), "{wrong}");
        }
        assert_eq!(Sort::default().word(), "-created_at");
    }

    #[test]
    fn names_are_folded_whatever_the_letters() {
        assert_eq!(name_key("ÜBERBLICK.MP4"), name_key("überblick.mp4"));
        assert_eq!(name_key("Cafe\u{301}.mov"), name_key("caf\u{e9}.mov"), "as macOS spells it");
        assert_eq!(name_key("ДОМ"), "дом");
        assert_eq!(name_key(""), " ");
    }

    #[test]
    fn a_cursor_is_of_one_order_only() {
        let place = Place { key: PlaceKey::Number(7), id: FileId::new() };
        let sort: Sort = "-size".parse().unwrap();
        let cursor = sort.cursor(&place);
        for word in Sort::ALL {
            assert_eq!(word.parse::<Sort>().unwrap().place(&cursor).is_some(), word == "-size", "{word}");
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let sort = Sort::default();
        let of = |text: String| sort.place(&URL_SAFE_NO_PAD.encode(text));
        let id = FileId::new();
        assert!(of(format!("-created_at {id} 5")).is_some());
        for wrong in
            [format!("-created_at {id}"), format!("-created_at {id} x"), "-created_at x 5".to_owned(), String::new()]
        {
            assert!(of(wrong.clone()).is_none(), "{wrong}");
        }
        assert!(sort.place(&id.to_string()).is_none() && sort.place("%").is_none() && sort.place("").is_none());
        let name: Sort = "name".parse().unwrap();
        assert!(name.place(&URL_SAFE_NO_PAD.encode(format!("name {id} a\0"))).is_none());
    }

    proptest! {
        #[test]
        fn a_place_is_read_as_it_was_written(text in "[^\0]{0,80}", number: i64, at in 0..8usize) {
            let sort: Sort = Sort::ALL[at].parse().unwrap();
            let key = if sort.by == SortBy::Name { PlaceKey::Text(text) } else { PlaceKey::Number(number) };
            let place = Place { key, id: FileId::new() };
            prop_assert_eq!(sort.place(&sort.cursor(&place)), Some(place));
        }

        #[test]
        fn no_text_is_more_than_refused(text: String) {
            for word in Sort::ALL {
                let _ = word.parse::<Sort>().unwrap().place(&text);
            }
        }
    }
}
