//! The web-safe source as a rendition: published before anything is encoded, as it is, or with a rewritten head in front
//! when its `moov` lies behind the media.

use bytes::Bytes;
use reelgate_common::{
    rendition::{Piece, Rendition, RenditionKind, Role},
    timestamp::Timestamp,
};
use reelgate_packager::{Faststart, codecs, faststart};
use sha2::{Digest, Sha256};

use super::{Work, inspect::Inspected, judgement::Index, packaging, publish, store};
use crate::halt::Halt;

/// Object of the rewritten head.
const HEAD: &str = "head.mp4";

/// Publishes the source; whether it could be.
///
/// # Errors
/// The fence does not hold, or a service stays away.
pub(super) async fn publish(work: &Work, inspected: &Inspected, rank: i32) -> Result<bool, Halt> {
    let Some(index) = &inspected.index else { return Ok(false) };
    let file = &work.attempt.file;
    let mut rendition = plain(work, inspected, index, rank);
    let mut objects = Vec::new();
    if let Some(fast) = rewritten(work, index) {
        let head = Bytes::from(fast.head);
        let key = work.key(HEAD);
        store::put(work, &key, &head).await?;
        objects.push(key);
        rendition.etag = etag_of(&file.sha256, &head);
        rendition.layout =
            std::iter::once(Piece { object: Role::Output(HEAD.to_owned()), offset: 0, length: head.len() as u64 })
                .chain(fast.pieces.iter().map(|piece| Piece {
                    object: Role::Source,
                    offset: piece.start,
                    length: piece.end - piece.start,
                }))
                .collect();
        rendition.size_bytes = rendition.layout.iter().map(|piece| piece.length).sum();
    }
    if inspected.media.segment_safe {
        objects.extend(packaging::package(work, &mut rendition, index.movie.clone(), &inspected.grid).await?);
    }
    publish::publish(work, &rendition, &objects).await?;
    Ok(true)
}

/// The source byte for byte.
fn plain(work: &Work, inspected: &Inspected, index: &Index, rank: i32) -> Rendition {
    let (file, fence) = (&work.attempt.file, &work.attempt.fence);
    let video = inspected.media.video.as_ref();
    let names = codecs(&index.movie);
    Rendition {
        file_id: file.id,
        generation: fence.generation,
        attempt: fence.attempt,
        name: "source".to_owned(),
        kind: RenditionKind::Video,
        // QuickTime with these codecs plays wherever MP4 does, but browsers refuse its own type.
        content_type: "video/mp4".to_owned(),
        size_bytes: file.size_bytes,
        width: video.map(|video| video.width),
        height: video.map(|video| video.height),
        bitrate: Some(inspected.media.bitrate).filter(|bitrate| *bitrate > 0),
        codecs: Some(names).filter(|names| !names.is_empty()),
        duration_ms: Some(inspected.media.duration_ms),
        layout: vec![Piece { object: Role::Source, offset: 0, length: file.size_bytes }],
        etag: file.sha256.clone(),
        rank,
        packaging: None,
        details: None,
        earned: false,
        used_at: None,
        created_at: Timestamp::now(),
    }
}

/// Nothing when `moov` precedes the media, or when the index cannot be rewritten: then the source still plays as it is.
fn rewritten(work: &Work, index: &Index) -> Option<Faststart> {
    faststart(&index.ftyp, &index.moov, &index.boxes).unwrap_or_else(|error| {
        tracing::info!(file.id = %work.attempt.file.id, %error, "the head cannot be rewritten; served as it is");
        None
    })
}

/// Differs from the source's own tag, as the bytes do.
fn etag_of(source: &str, head: &[u8]) -> String {
    let hash = Sha256::new().chain_update(source.as_bytes()).chain_update(head).finalize();
    reelgate_common::hex::hex(&hash)
}
