//! A thumbnail that somebody asks for: one picture at a second of a film, in one of a few widths and formats. Few, so that
//! many who ask for nearly the same are served by one.

use crate::{
    closed_set::closed_set,
    ids::{FileId, OrgId},
    key::Key,
    timestamp::Timestamp,
};

closed_set! {
    pub enum StillFormat {
        Jpeg = "jpeg",
        Png = "png",
        Webp = "webp",
    }
}

impl StillFormat {
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Still {
    pub second: u32,
    /// Pixels; a narrower film stays as it is.
    pub width: u32,
    pub format: StillFormat,
}

impl Still {
    /// Widths that there are, narrowest first.
    pub const WIDTHS: [u32; 4] = [160, 320, 640, 1280];
    const PREFIX: &str = "still-";

    /// Its object, and what it is known by.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}-{}.{}", Self::PREFIX, self.second, self.width, self.format.extension())
    }

    /// Whether an object of an attempt's folder is a still: those belong to attempts of another job than all others.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        name.starts_with(Self::PREFIX)
    }

    /// The narrowest width that is at least this; the widest for more.
    #[must_use]
    pub fn width_for(wanted: u32) -> u32 {
        let [.., widest] = Self::WIDTHS;
        Self::WIDTHS.into_iter().find(|width| *width >= wanted).unwrap_or(widest)
    }
}

/// One that lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeStill {
    pub still: Still,
    pub attempt: i64,
    pub size_bytes: u64,
    /// Strong, without quotes.
    pub etag: String,
    pub made_at: Timestamp,
}

impl MadeStill {
    #[must_use]
    pub fn key(&self, org: &OrgId, file: FileId, generation: i64) -> Key {
        Key::Output { org: org.clone(), file, generation, attempt: self.attempt, name: self.still.name() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_snap_upwards_and_end_at_the_widest() {
        let snapped = [1, 160, 161, 320, 640, 641, 1280, 4_000].map(Still::width_for);
        assert_eq!(snapped, [160, 160, 320, 320, 640, 1280, 1280, 1280]);
    }

    #[test]
    fn a_name_is_that_of_an_object() {
        let still = Still { second: 12, width: 320, format: StillFormat::Webp };
        assert_eq!(still.name(), "still-12-320.webp");
        assert!(Still::is_name(&still.name()) && !Still::is_name("720p.mp4"));
    }
}
