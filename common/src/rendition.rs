//! A finished output of a file, and how its bytes lie in the object store.

use serde::{Deserialize, Serialize};

use crate::{
    closed_set::closed_set,
    ids::{FileId, OrgId},
    key::Key,
    timestamp::Timestamp,
};

closed_set! {
    pub enum RenditionKind {
        Video = "video",
        Audio = "audio",
        Poster = "poster",
        /// A sheet of small pictures.
        Storyboard = "storyboard",
        Captions = "captions",
        /// A few moving pictures, as an animated image.
        Preview = "preview",
        /// Peaks of the sound, as JSON.
        Waveform = "waveform",
    }
}

/// One published output. Unique on (file, generation, name).
#[derive(Debug, Clone, PartialEq)]
pub struct Rendition {
    pub file_id: FileId,
    pub generation: i64,
    /// The attempt whose folder holds the objects: `media/{org}/{file}/{generation}/{attempt}/`.
    pub attempt: i64,
    /// `source` for a web-safe source served progressively, `720p` for a rung, `audio`, `audio-2` for a further track, `poster`.
    pub name: String,
    pub kind: RenditionKind,
    pub content_type: String,
    pub size_bytes: u64,
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// Bits per second.
    pub bitrate: Option<u64>,
    /// RFC 6381 codec strings, comma-separated.
    pub codecs: Option<String>,
    pub duration_ms: Option<u64>,
    /// The bytes to serve, in order; their lengths add up to `size_bytes`.
    pub layout: Vec<Piece>,
    /// Strong entity tag without quotes; differs whenever the bytes differ.
    pub etag: String,
    /// Higher plays first when no rendition is asked for; negative is never chosen by default (posters, further audio
    /// tracks).
    pub rank: i32,
    /// How it is cut into HLS and DASH segments; `None` when it cannot be.
    pub packaging: Option<Packaging>,
    /// What only its kind has.
    pub details: Option<Details>,
    /// It was made because its file was watched, and goes when nobody is shown it any more.
    pub earned: bool,
    /// When it was last shown to somebody, to the hour, else when it was made; of earned ones alone.
    pub used_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Rendition {
    /// Whether it is a way to play the file: not what goes beside, such as posters and further languages.
    #[must_use]
    pub fn is_playable(&self) -> bool {
        self.rank >= 0 && matches!(self.kind, RenditionKind::Video | RenditionKind::Audio)
    }

    /// Names of its objects in the attempt's folder; some may repeat.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        let pieces = self.layout.iter().filter_map(|piece| match &piece.object {
            Role::Output(name) => Some(name.as_str()),
            Role::Source | Role::Captions(_) => None,
        });
        pieces.chain(self.packaging.iter().map(|packaging| packaging.index.as_str()))
    }

    /// Where its objects lie, without the source; some may repeat.
    pub fn keys(&self, org: &OrgId) -> impl Iterator<Item = Key> {
        let index = self.packaging.iter().map(|packaging| Role::Output(packaging.index.clone()));
        let roles = self.layout.iter().map(|piece| piece.object.clone()).chain(index);
        roles.filter_map(|role| role.key(org, self.file_id, (self.generation, self.attempt)))
    }
}

/// What turns the plain MP4 of a rendition into HLS and DASH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packaging {
    /// Object of the segment index in the attempt's folder (`720p.index`).
    pub index: String,
    /// The packager's summary of it: all that a master playlist and the init segments need. Opaque here.
    pub summary: serde_json::Value,
}

/// A run of bytes of one object, named by role: the key is resolved late, so promotion may move the source under a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub object: Role,
    pub offset: u64,
    pub length: u64,
}

/// Which object of a file, without saying where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The exact upload.
    Source,
    /// An object of the rendition's own attempt folder, by its fixed name (`720p.mp4`).
    Output(String),
    /// Captions that a person has added, by the name in their folder; they belong to all generations.
    Captions(String),
}

impl Role {
    /// Where the object lies, of what this attempt of this generation made. Of a source only the file's row knows.
    #[must_use]
    pub fn key(&self, org: &OrgId, file: FileId, (generation, attempt): (i64, i64)) -> Option<Key> {
        let org = org.clone();
        match self {
            Self::Source => None,
            Self::Output(name) => Some(Key::Output { org, file, generation, attempt, name: name.clone() }),
            Self::Captions(name) => Some(Key::Captions { org, file, name: name.clone() }),
        }
    }
}

/// What only renditions of one kind have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Details {
    Captions(CaptionsDetails),
    Storyboard(Sheet),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionsDetails {
    /// The shortest tag of BCP 47 (`de`, not `ger`); `und` when nobody has said.
    pub language: String,
    /// For people.
    pub label: Option<String>,
    /// Shown unless the viewer chooses otherwise.
    pub default: bool,
    /// Added by a person, not found in the source.
    pub added: bool,
}

/// A sheet of equal tiles, row by row; tile `n` shows what is seen at `first_ms + n * interval_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    pub first_ms: u64,
    pub interval_ms: u64,
    pub columns: u32,
    pub tiles: u32,
    pub tile_width: u32,
    pub tile_height: u32,
}

impl Rendition {
    /// Names of its objects that a person has added.
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.layout.iter().filter_map(|piece| match &piece.object {
            Role::Captions(name) => Some(name.as_str()),
            Role::Source | Role::Output(_) => None,
        })
    }

    #[must_use]
    pub fn captions(&self) -> Option<&CaptionsDetails> {
        match &self.details {
            Some(Details::Captions(details)) => Some(details),
            _ => None,
        }
    }

    #[must_use]
    pub fn sheet(&self) -> Option<&Sheet> {
        match &self.details {
            Some(Details::Storyboard(sheet)) => Some(sheet),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segment_index_is_one_of_its_objects_and_the_upload_is_not() {
        let piece = |object| Piece { object, offset: 0, length: 1 };
        let rendition = Rendition {
            file_id: FileId::new(),
            generation: 1,
            attempt: 1,
            name: "source".to_owned(),
            kind: RenditionKind::Video,
            content_type: "video/mp4".to_owned(),
            size_bytes: 2,
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: vec![piece(Role::Output("head.mp4".to_owned())), piece(Role::Source)],
            etag: String::new(),
            rank: 0,
            packaging: Some(Packaging { index: "source.index".to_owned(), summary: serde_json::Value::Null }),
            details: None,
            earned: false,
            used_at: None,
            created_at: Timestamp::default(),
        };
        assert_eq!(rendition.outputs().collect::<Vec<_>>(), ["head.mp4", "source.index"]);
    }
}
