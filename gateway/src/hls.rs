//! HLS and DASH of a file: the master playlist and the manifest open a lease and name everything else by addresses below it.
//! What lies there is cut at play time from the plain MP4s that were published; nothing is stored for it but an index.

mod door;
mod endpoints;
mod index;
pub(crate) mod memory;
mod packed;
mod path;
mod piece;

use std::sync::Arc;

use futures_util::future::try_join_all;
use http::{HeaderValue, StatusCode};
use reelgate_common::{
    db::FileWithRenditions,
    ids::FileId,
    rendition::{Rendition, RenditionKind},
};
use reelgate_packager::{
    Mp4Error,
    dash::mpd,
    package::{Kind, TrackSummary, init_segment, media_segment},
    playlist::{hls_captions, hls_iframes, hls_master, hls_media},
};

use self::{
    door::{Entered, by_lease, by_token, find},
    index::Index,
    memory::Text,
    packed::{Choices, Packed, captions, target_duration},
    path::{CAPTIONS_DOCUMENT, Item},
};
pub(crate) use self::{
    endpoints::endpoints,
    path::{PackagedPath, Part, generation},
};
use crate::{
    app::App,
    error::ApiError,
    grant::Grant,
    play::{Ask, serve},
    representation::{Caching, Choice, Representation, missing_rendition},
    respond::Response,
};

/// `GET /v1/files/stream/{id}/master.m3u8`. Grows while rungs are made.
///
/// # Errors
/// As a stream; 409 or 404 when there is nothing to offer, 412, 416, or 503.
pub(crate) async fn master(app: &Arc<App>, grant: Grant, file: FileId, ask: Ask<'_>) -> Result<Response, ApiError> {
    let Entered { row, lease, name } = by_token(app, &grant, file, &ask).await?;
    let (packed, name) = (packed(app, &row)?, name.to_string());
    let choices = offered(&row, &packed)?;
    let text = hls_master(&choices.present(&name, captions(&row.renditions, &name)));
    serve(app, &row.file, growing(piece::HLS, text, &packed), lease.as_ref(), ask).await
}

/// `GET /v1/files/stream/{id}/manifest.mpd`, as `master`.
///
/// # Errors
/// As `master`.
pub(crate) async fn manifest(app: &Arc<App>, grant: Grant, file: FileId, ask: Ask<'_>) -> Result<Response, ApiError> {
    let Entered { row, lease, name } = by_token(app, &grant, file, &ask).await?;
    let (packed, name) = (packed(app, &row)?, name.to_string());
    let mut choices = offered(&row, &packed)?;
    try_join_all(choices.tracks_mut().map(async |chosen| {
        let index = index(app, &row, chosen.packed.rendition)?;
        chosen.segments = index.table(chosen.track).await?;
        Ok::<(), ApiError>(())
    }))
    .await?;
    let text = mpd(&choices.present(&name, captions(&row.renditions, &name)));
    serve(app, &row.file, growing(piece::DASH, text, &packed), lease.as_ref(), ask).await
}

/// What lies below a lease: playlists, init segments, segments, key frames, captions.
///
/// # Errors
/// 401 without a lease, 404 for what the file does not have, 412, 416, or 503.
pub(crate) async fn packaged(app: &Arc<App>, path: &PackagedPath, ask: Ask<'_>) -> Result<Response, ApiError> {
    let Entered { row, lease, .. } = by_lease(app, path, &ask).await?;
    let rendition = find(&row, path).ok_or_else(segment_not_found)?;
    let shown = match path.part {
        Part::Track { track, item } => piece_of(app, &row, rendition, (track, item)).await?,
        _ if rendition.kind != RenditionKind::Captions => return Err(segment_not_found()),
        Part::CaptionsPlaylist => {
            let lasts = row.file.media.as_ref().map_or(0, |media| media.duration_ms);
            let text = Text::of(hls_captions(CAPTIONS_DOCUMENT, lasts));
            lasting(piece::HLS, &text, rendition)
        }
        Part::CaptionsDocument => Representation::of(&row.file, Choice::Rendition(rendition)),
    };
    serve(app, &row.file, shown, lease.as_ref(), ask).await
}

async fn piece_of(
    app: &App,
    row: &FileWithRenditions,
    rendition: &Rendition,
    (number, item): (usize, Item),
) -> Result<Representation, ApiError> {
    let index = index(app, row, rendition)?;
    let summary = index.summary()?;
    let track = summary.tracks.get(number).ok_or_else(segment_not_found)?;
    match item {
        Item::Iframes if track.kind != Kind::Video => Err(segment_not_found()),
        Item::Playlist | Item::Iframes => {
            let target = target_duration(&packed(app, row)?);
            let text = app.hls.playlist(rendition, (number, item), target, media_playlist(index, track, item, target));
            Ok(lasting(piece::HLS, &*text.await?, rendition))
        }
        Item::Init => Ok(lasting(piece::media_type(track.kind), &Text::of(init_segment(track)), rendition)),
        Item::Segment(segment) => {
            app.demand.shown(rendition);
            let entry = index.entry(track, segment).await?.ok_or_else(segment_not_found)?;
            let record = index.record(&entry).await?;
            let made = media_segment(track, segment, &entry, &record).map_err(|error| unreadable(rendition, &error))?;
            Ok(piece::segment(rendition, track.kind, made))
        }
    }
}

async fn media_playlist(
    index: Index<'_>,
    track: &TrackSummary,
    item: Item,
    target_duration: u32,
) -> Result<Arc<Text>, ApiError> {
    let write = if item == Item::Iframes { hls_iframes } else { hls_media };
    let segments = index.table(track).await?;
    Ok(Arc::new(Text::of(write(track, &segments, target_duration))))
}

/// All renditions of a row that can be cut into segments.
fn packed<'a>(app: &App, row: &'a FileWithRenditions) -> Result<Vec<Packed<'a>>, ApiError> {
    let packaged = row.renditions.iter().filter(|rendition| rendition.packaging.is_some());
    packaged.map(|rendition| Ok(Packed { rendition, summary: index(app, row, rendition)?.summary()? })).collect()
}

fn offered<'a>(row: &FileWithRenditions, packed: &'a [Packed<'a>]) -> Result<Choices<'a>, ApiError> {
    let choices = Choices::of(packed);
    if choices.is_empty() { Err(missing_rendition(&row.file)) } else { Ok(choices) }
}

fn index<'a>(app: &'a App, row: &'a FileWithRenditions, rendition: &'a Rendition) -> Result<Index<'a>, ApiError> {
    let packaging = rendition.packaging.as_ref().ok_or_else(segment_not_found)?;
    Ok(Index { app, file: &row.file, rendition, packaging })
}

/// A list that names more when more has been published.
fn growing(content_type: HeaderValue, text: String, packed: &[Packed]) -> Representation {
    let modified = packed.iter().map(|packed| packed.rendition.created_at).max().unwrap_or_default();
    let Text { bytes, etag } = Text::of(text);
    piece::made(content_type, bytes, etag, modified, Caching::Revalidate)
}

/// What never changes.
fn lasting(content_type: HeaderValue, text: &Text, rendition: &Rendition) -> Representation {
    piece::made(content_type, text.bytes.clone(), text.etag.clone(), rendition.created_at, Caching::Immutable)
}

fn segment_not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "segment_not_found", "The file has no such playlist or segment")
}

fn unreadable(rendition: &Rendition, error: &Mp4Error) -> ApiError {
    tracing::error!(file.id = %rendition.file_id, name = %rendition.name, %error, "a segment index cannot be read");
    ApiError::internal()
}
