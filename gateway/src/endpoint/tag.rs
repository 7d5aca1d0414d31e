//! What endpoints are about: the chapters of the document.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Files,
    Playback,
    Images,
    Captions,
    Uploads,
    Jobs,
    Events,
    Leases,
    Webhooks,
    Documentation,
}

impl Tag {
    /// In the order of the document.
    pub(crate) const ALL: [Self; 10] = [
        Self::Files,
        Self::Playback,
        Self::Images,
        Self::Captions,
        Self::Uploads,
        Self::Jobs,
        Self::Events,
        Self::Leases,
        Self::Webhooks,
        Self::Documentation,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Playback => "playback",
            Self::Images => "images",
            Self::Captions => "captions",
            Self::Uploads => "uploads",
            Self::Jobs => "jobs",
            Self::Events => "events",
            Self::Leases => "leases",
            Self::Webhooks => "webhooks",
            Self::Documentation => "documentation",
        }
    }

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Files => "Upload, list, look at and delete files.",
            Self::Playback => "Stream files with range requests, or cut into HLS and DASH, under short-lived tokens.",
            Self::Images => "Posters, previews, storyboards, thumbnails and waveforms.",
            Self::Captions => "Captions of a file, its own and those that people add.",
            Self::Uploads => "Uploads that go on after their connection has broken (tus 1.0).",
            Self::Jobs => "What was decided about a file and why, and what became of it.",
            Self::Events => "What happens to files, told while it happens.",
            Self::Leases => "What plays now, and how to end it.",
            Self::Webhooks => {
                "Endpoints of an organisation that are told what happens to its files, and what they were told."
            }
            Self::Documentation => "This document, and pages for people.",
        }
    }
}
