//! Playlists, init segments, segments and key frames as representations: inline bytes and ranges of the plain MP4, served like
//! any other `VirtualFile`.

use bytes::Bytes;
use http::HeaderValue;
use reelgate_common::{
    hex::hex,
    rendition::{Rendition, Role},
    timestamp::Timestamp,
};
use reelgate_packager::package::{Kind, Segment, SegmentPiece};
use sha2::{Digest, Sha256};

use crate::{
    representation::{Caching, Representation},
    virtual_file::{Extent, VirtualFile},
};

pub(super) const HLS: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
pub(super) const DASH: HeaderValue = HeaderValue::from_static("application/dash+xml");

/// Fragments too: some players refuse `video/iso.segment`.
pub(super) fn media_type(kind: Kind) -> HeaderValue {
    HeaderValue::from_static(match kind {
        Kind::Video => "video/mp4",
        Kind::Audio => "audio/mp4",
    })
}

/// Bytes of our own making.
pub(super) fn made(
    content_type: HeaderValue,
    bytes: Bytes,
    etag: String,
    modified: Timestamp,
    caching: Caching,
) -> Representation {
    Representation {
        content_type,
        disposition: HeaderValue::from_static("inline"),
        etag,
        modified,
        bytes: VirtualFile::from_extents([Extent::Inline(bytes)]),
        attempt: 0,
        caching,
    }
}

/// A segment of a rendition. What it says about its bytes follows from them: a version of this program that writes other boxes
/// gives other tags.
pub(super) fn segment(rendition: &Rendition, kind: Kind, segment: Segment) -> Representation {
    let media = media_object(rendition);
    let mut hash = Sha256::new().chain_update(rendition.etag.as_bytes());
    let extents: Vec<Extent> = segment
        .pieces
        .into_iter()
        .map(|piece| match piece {
            SegmentPiece::Inline(bytes) => {
                hash.update(&bytes);
                Extent::Inline(bytes.into())
            }
            SegmentPiece::Media(range) => {
                hash.update(range.start.to_be_bytes());
                hash.update(range.end.to_be_bytes());
                Extent::Object { role: media.clone(), range }
            }
        })
        .collect();
    Representation {
        content_type: media_type(kind),
        disposition: HeaderValue::from_static("inline"),
        etag: tag(hash),
        modified: rendition.created_at,
        bytes: VirtualFile::from_extents(extents),
        attempt: rendition.attempt,
        caching: Caching::Immutable,
    }
}

/// The plain MP4 whose offsets the index speaks of: the upload itself behind a rewritten head, else the rendition's object.
fn media_object(rendition: &Rendition) -> Role {
    let mut objects = rendition.layout.iter().map(|piece| &piece.object);
    match objects.clone().find(|object| **object == Role::Source).or_else(|| objects.next()) {
        Some(object) => object.clone(),
        None => Role::Source,
    }
}

pub(super) fn tag_of(bytes: &[u8]) -> String {
    tag(Sha256::new().chain_update(bytes))
}

/// Half a hash is plenty for a tag.
fn tag(hash: Sha256) -> String {
    hex(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        ids::FileId,
        rendition::{Piece, RenditionKind},
    };

    use super::*;

    fn rendition(objects: &[Role]) -> Rendition {
        let piece = |object: &Role| Piece { object: object.clone(), offset: 0, length: 10 };
        Rendition {
            file_id: FileId::new(),
            generation: 1,
            attempt: 2,
            name: "source".to_owned(),
            kind: RenditionKind::Video,
            content_type: String::new(),
            size_bytes: 1,
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: objects.iter().map(piece).collect(),
            etag: "tag".to_owned(),
            rank: 0,
            packaging: None,
            details: None,
            earned: false,
            used_at: None,
            created_at: Timestamp(7),
        }
    }

    fn cut(moof: &[u8], range: std::ops::Range<u64>) -> Segment {
        Segment { pieces: vec![SegmentPiece::Inline(moof.to_vec()), SegmentPiece::Media(range)] }
    }

    #[test]
    fn offsets_are_those_of_the_plain_mp4_also_behind_a_rewritten_head() {
        let head = Role::Output("head.mp4".to_owned());
        let rung = Role::Output("720p.mp4".to_owned());
        assert_eq!(media_object(&rendition(&[head, Role::Source, Role::Source])), Role::Source);
        assert_eq!(media_object(&rendition(std::slice::from_ref(&rung))), rung);
        let shown = segment(&rendition(std::slice::from_ref(&rung)), Kind::Video, cut(b"moof", 3..9));
        let expected = [Extent::Inline(Bytes::from_static(b"moof")), Extent::Object { role: rung, range: 3..9 }];
        assert_eq!((shown.bytes.into_extents().as_slice(), shown.attempt), (expected.as_slice(), 2));
    }

    #[test]
    fn a_tag_follows_from_boxes_ranges_and_media() {
        let rung = rendition(&[Role::Source]);
        let other = Rendition { etag: "other".to_owned(), ..rung.clone() };
        let tag = |rendition: &Rendition, moof: &[u8], range| segment(rendition, Kind::Video, cut(moof, range)).etag;
        let tags = [tag(&rung, b"a", 0..5), tag(&rung, b"b", 0..5), tag(&rung, b"a", 0..6), tag(&other, b"a", 0..5)];
        assert_eq!(tags.iter().collect::<std::collections::HashSet<_>>().len(), tags.len());
        assert_eq!(tag(&rung, b"a", 0..5), tags[0]);
    }
}
