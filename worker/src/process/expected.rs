//! What the plan says of each output before it is there.

use crate::plan::extras::StoryboardLayout;

/// What the plan says about one output; the child chooses no names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) what: Kind,
    /// Of its sound.
    pub(super) language: Option<String>,
    pub(super) copied: Copied,
}

/// What of an output is the source's own packets: it is as the source is, and only what we encode is ours to answer for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) pictures: bool,
    pub(super) sound: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rung {
        width: u32,
        height: u32,
        rank: i32,
    },
    /// A track beside the default one is nothing to play alone.
    Audio {
        default: bool,
    },
    /// Nothing that plays.
    Extra(Extra),
}

impl Expected {
    pub(super) fn is_rung(&self) -> bool {
        matches!(self.what, Kind::Rung { .. })
    }
}

impl Kind {
    pub(super) fn is_playable(self) -> bool {
        matches!(self, Self::Rung { .. } | Self::Audio { default: true })
    }
}

/// What is made beside what plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    Poster,
    /// Its number, from 1.
    Sheet(StoryboardLayout, u32),
    Preview,
    Waveform,
    Captions,
}
