//! Addresses below a lease: `{lease}/{generation}/{rendition}/{track}/{item}`, relative to `/v1/files/stream/{file_id}/`.
//! Playlists name one another relatively, so that the lease is inherited. Written and read here alone. Pure.

use reelgate_common::ids::FileId;
use reelgate_packager::presentation::{IFRAMES_NAME, INIT_NAME, PLAYLIST_NAME, SEGMENT_SUFFIX};

/// Of a rendition of captions: its playlist and its document.
pub(crate) const CAPTIONS_PLAYLIST: &str = "captions.m3u8";
pub(crate) const CAPTIONS_DOCUMENT: &str = "captions.vtt";

/// What is asked for below a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackagedPath {
    pub file: FileId,
    /// As it stands there: whether it is a lease at all is for the leases to say, in the words of any other lease.
    pub lease: String,
    pub generation: i64,
    pub rendition: String,
    pub part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Track { track: usize, item: Item },
    CaptionsPlaylist,
    CaptionsDocument,
}

/// A piece of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Playlist,
    Iframes,
    Init,
    /// By its number, from zero.
    Segment(u32),
}

impl Part {
    /// What follows the rendition.
    pub(crate) fn parse(rest: &[&str]) -> Option<Self> {
        match *rest {
            [CAPTIONS_PLAYLIST] => Some(Self::CaptionsPlaylist),
            [CAPTIONS_DOCUMENT] => Some(Self::CaptionsDocument),
            [track, item] => {
                let track = usize::try_from(number(track)?).ok()?;
                Some(Self::Track { track, item: Item::parse(item)? })
            }
            _ => None,
        }
    }
}

impl Item {
    fn parse(name: &str) -> Option<Self> {
        match name {
            PLAYLIST_NAME => Some(Self::Playlist),
            IFRAMES_NAME => Some(Self::Iframes),
            INIT_NAME => Some(Self::Init),
            _ => number(name.strip_suffix(SEGMENT_SUFFIX)?).map(Self::Segment),
        }
    }
}

/// The generation as it stands in an address; counted from one.
pub(crate) fn generation(text: &str) -> Option<i64> {
    number(text).map(i64::from).filter(|generation| *generation > 0)
}

/// Digits in their one spelling, for an address is what caches know a segment by.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// The folder of a rendition, relative to the master playlist.
pub(crate) fn rendition_folder(lease: &str, generation: i64, rendition: &str) -> String {
    format!("{lease}/{generation}/{rendition}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Option<Part> {
        Part::parse(&text.split('/').collect::<Vec<_>>())
    }

    #[test]
    fn every_piece_of_a_track_has_its_address() {
        let track = |item| Some(Part::Track { track: 1, item });
        assert_eq!(part("1/index.m3u8"), track(Item::Playlist));
        assert_eq!(part("1/iframes.m3u8"), track(Item::Iframes));
        assert_eq!(part("1/init.mp4"), track(Item::Init));
        assert_eq!(part("1/0.m4s"), track(Item::Segment(0)));
        assert_eq!(part("captions.vtt"), Some(Part::CaptionsDocument));
        assert_eq!(part("captions.m3u8"), Some(Part::CaptionsPlaylist));
    }

    #[test]
    fn a_number_has_one_spelling() {
        for wrong in ["1/01.m4s", "1/+1.m4s", "1/.m4s", "1/-1.m4s", "1/4294967296.m4s", "01/0.m4s"] {
            assert_eq!(part(wrong), None, "{wrong}");
        }
        for wrong in ["", "1", "1/", "1/0.ts", "1/0.m4s/", "x/0.m4s", "1/index.M3U8"] {
            assert_eq!(part(wrong), None, "{wrong}");
        }
        assert_eq!((generation("3"), generation("0"), generation("03"), generation("-3")), (Some(3), None, None, None));
    }
}
