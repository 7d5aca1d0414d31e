//! Lanes: which workers a job waits for. Decided once, when the job is made, from what is known then, and kept in its row; a job that
//! runs again, for whatever reason, waits in the same lane. Knows neither queue nor database.
//!
//! A lane says where work may run and nothing of how: every lane encodes with the same software encoders.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    closed_set::{UnknownWord, closed_set},
    config::list,
    file::FileKind,
    job::JobKind,
};

closed_set! {
    pub enum Lane {
        /// What is soon done: thumbnails, and uploads that are not large.
        Small = "small",
        /// Large uploads, and parts of films that are encoded in parts.
        Large = "large",
        /// Of what would be large whatever encodes video, where operators keep machines apart for that.
        Gpu = "gpu",
    }
}

/// Config section `[lanes]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanePolicy {
    /// Uploads of more bytes are large.
    pub large_above_bytes: u64,
    /// Whether what encodes video and would be large goes to `gpu`.
    pub gpu: bool,
}

impl Default for LanePolicy {
    fn default() -> Self {
        Self { large_above_bytes: 1 << 30, gpu: false }
    }
}

impl LanePolicy {
    /// The lane of a new job about a file of this kind and size.
    #[must_use]
    pub const fn of(&self, job: JobKind, file: FileKind, size_bytes: u64) -> Lane {
        match job {
            JobKind::Thumbnail => Lane::Small,
            JobKind::Process | JobKind::Earn if size_bytes <= self.large_above_bytes => Lane::Small,
            JobKind::Process | JobKind::Earn if self.gpu && matches!(file, FileKind::Video) => Lane::Gpu,
            JobKind::Process | JobKind::Earn => Lane::Large,
            JobKind::Chunk => self.of_chunks(),
        }
    }

    /// Parts are of films only, and of long ones.
    #[must_use]
    pub const fn of_chunks(&self) -> Lane {
        if self.gpu { Lane::Gpu } else { Lane::Large }
    }
}

/// A set of lanes: those that a worker serves. In a file a list, in the environment and in the database words with commas.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lanes(u8);

impl Lanes {
    pub const ALL: Self = Self::of(Lane::ALL);
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn of(lanes: &[Lane]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < lanes.len() {
            set |= 1 << lanes[at] as u8;
            at += 1;
        }
        Self(set)
    }

    #[must_use]
    pub const fn contains(self, lane: Lane) -> bool {
        self.0 & (1 << lane as u8) != 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Lane> {
        Lane::ALL.iter().copied().filter(move |lane| self.contains(*lane))
    }

    /// As `from_str`, but without the words that this build does not know: a newer one may have written them.
    #[must_use]
    pub fn known(words: &str) -> Self {
        words.split(',').filter_map(|word| word.trim().parse().ok()).collect()
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromIterator<Lane> for Lanes {
    fn from_iter<I: IntoIterator<Item = Lane>>(lanes: I) -> Self {
        lanes.into_iter().fold(Self::NONE, |set, lane| Self(set.0 | Self::of(&[lane]).0))
    }
}

impl From<Lane> for Lanes {
    fn from(lane: Lane) -> Self {
        Self::of(&[lane])
    }
}

impl FromStr for Lanes {
    type Err = UnknownWord;

    fn from_str(words: &str) -> Result<Self, UnknownWord> {
        words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(Lane::from_str).collect()
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Lane::as_str).collect();
        f.write_str(&words.join(","))
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Lanes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Lanes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(list::<D, Lane>(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn policy(gpu: bool) -> LanePolicy {
        LanePolicy { gpu, ..LanePolicy::default() }
    }

    #[test]
    fn an_upload_is_large_above_the_limit() {
        for (size, lane) in [(0, Lane::Small), (GIB, Lane::Small), (GIB + 1, Lane::Large), (u64::MAX, Lane::Large)] {
            for kind in FileKind::ALL {
                assert_eq!(policy(false).of(JobKind::Process, *kind, size), lane, "{kind} of {size}");
            }
        }
    }

    #[test]
    fn thumbnails_are_small_and_chunks_are_large_whatever_their_film_is() {
        for size in [0, GIB, u64::MAX] {
            assert_eq!(policy(true).of(JobKind::Thumbnail, FileKind::Video, size), Lane::Small);
            assert_eq!(policy(false).of(JobKind::Chunk, FileKind::Video, size), Lane::Large);
            assert_eq!(policy(true).of(JobKind::Chunk, FileKind::Video, size), Lane::Gpu);
        }
    }

    #[test]
    fn only_what_is_large_and_encodes_video_goes_to_gpu() {
        let of = |kind, size| policy(true).of(JobKind::Process, kind, size);
        assert_eq!(of(FileKind::Video, GIB + 1), Lane::Gpu);
        assert_eq!(of(FileKind::Video, GIB), Lane::Small);
        for kind in [FileKind::Audio, FileKind::Image, FileKind::Other] {
            assert_eq!(of(kind, GIB + 1), Lane::Large);
        }
    }

    #[test]
    fn a_set_is_a_list_in_a_file_and_words_in_the_environment() {
        let read = |given| serde_json::from_value::<Lanes>(given).ok();
        let two = Lanes::of(&[Lane::Small, Lane::Gpu]);
        for given in [json!(["gpu", "small"]), json!("small,gpu"), json!(" gpu , small, small")] {
            assert_eq!(read(given.clone()), Some(two), "{given}");
        }
        assert_eq!(read(json!("small")), Some(Lane::Small.into()));
        assert_eq!(read(json!("")), Some(Lanes::NONE));
        assert_eq!(read(json!("huge")), None);
        assert_eq!(serde_json::to_value(Lanes::ALL).unwrap(), json!(["small", "large", "gpu"]));
        assert_eq!((two.to_string().as_str(), "small,gpu".parse()), ("small,gpu", Ok(two)));
    }

    #[test]
    fn lanes_of_a_newer_build_are_passed_over() {
        assert_eq!(Lanes::known("small,huge"), Lane::Small.into());
        assert!(Lanes::known("huge").is_empty());
    }
}
