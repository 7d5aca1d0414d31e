//! `/v1/files/{id}/captions`: captions that people add to a file. Whatever is sent, WebVTT of nothing but cues is stored, one
//! document per language, in the place of what was there before. Served like any rendition that plays.

mod endpoints;
mod form;

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use reelgate_common::{
    auth::Caller,
    captions::{CaptionsError, read, write},
    db::{AddedCaptions, FileWithRenditions},
    file::FileState,
    hex::hex,
    ids::FileId,
    key::Key,
    rendition::{CaptionsDetails, Details, Piece, Rendition, RenditionKind, Role},
    timestamp::Timestamp,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

pub(crate) use self::endpoints::endpoints;
use self::form::Form;
use crate::{
    app::App,
    body::RequestBody,
    error::{ApiError, Violation},
    file_json::RenditionJson,
    grant::Grant,
    play::{self, Ask},
    query::Query,
    respond::{Response, ok},
};

/// Captions that are gone.
#[derive(Serialize, ToSchema)]
#[schema(as = RemovedCaptions)]
struct Removed<'a> {
    /// Of the rendition that they were.
    name: &'a str,
    deleted: bool,
}

/// Documents that people may add to one file.
const MAX_ADDED: u64 = 64;

/// `POST`: one document, as the body or in a form, with its language.
///
/// # Errors
/// 404, 403, 409, 413, 422, 429, or 503.
pub(crate) async fn add(
    app: &Arc<App>,
    caller: &Caller,
    file: FileId,
    (headers, query, body): (&HeaderMap, &Query<'_>, RequestBody),
) -> Result<Response, ApiError> {
    let row = owned(app, caller, file).await?;
    if row.file.state == FileState::Uploading {
        return Err(ApiError::not_ready(row.file.state));
    }
    let form = Form::receive(headers, query, body).await?;
    let cues = read(&form.document).map_err(|error| invalid(&error))?;
    let document = write(&cues);
    let captions = rendition(&row, &form, document.as_bytes());
    let key = |rendition: &Rendition| rendition.keys(&caller.org).next();
    if let Some(key) = key(&captions) {
        app.storage.put(&key, document.into()).await?;
    }
    let stored = app.db.put_captions(&caller.org, file, &captions, MAX_ADDED).await;
    let (stale, refusal) = match &stored {
        Ok(AddedCaptions::Stored { replaced }) => (replaced.as_ref().and_then(key), None),
        Ok(AddedCaptions::NoSuchFile) => (key(&captions), Some(ApiError::file_not_found())),
        Ok(AddedCaptions::TooMany) => (key(&captions), Some(too_many())),
        // It may have been committed; the reconciler knows.
        Err(error) => (None, Some(error.into())),
    };
    discard(app, stale).await;
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    app.rows.forget(&caller.org, file);
    tracing::info!(file.id = %file, org = %caller.org, user = %caller.user, name = %captions.name, "captions were added");
    Ok(ok(&RenditionJson::from(&captions)))
}

/// `DELETE`: what a person has added; captions of the source itself stay.
///
/// # Errors
/// 404, 403, or 503.
pub(crate) async fn remove(app: &Arc<App>, caller: &Caller, file: FileId, name: &str) -> Result<Response, ApiError> {
    owned(app, caller, file).await?;
    let removed = app.db.remove_captions(&caller.org, file, name).await?.ok_or_else(no_captions)?;
    app.rows.forget(&caller.org, file);
    discard(app, removed.keys(&caller.org).next()).await;
    tracing::info!(file.id = %file, org = %caller.org, user = %caller.user, name, "captions were removed");
    Ok(ok(&Removed { name, deleted: true }))
}

/// `GET`: a document, for `<track>`.
///
/// # Errors
/// As a stream.
pub(crate) async fn track(
    app: &Arc<App>,
    grant: Grant,
    file: FileId,
    name: &str,
    ask: Ask<'_>,
) -> Result<Response, ApiError> {
    play::named(app, &grant, file, name, ask).await
}

async fn owned(app: &App, caller: &Caller, file: FileId) -> Result<FileWithRenditions, ApiError> {
    let row = app.db.find_file(&caller.org, file).await?.ok_or_else(ApiError::file_not_found)?;
    Grant::from(caller.clone()).owns(&row.file)?;
    Ok(row)
}

fn rendition(row: &FileWithRenditions, form: &Form, document: &[u8]) -> Rendition {
    let language = form.language.to_ascii_lowercase();
    let length = document.len() as u64;
    // A name of its own for each document: who still reads the one before reads on.
    let object = Role::Captions(format!("{language}-{}.vtt", uuid::Uuid::now_v7().simple()));
    let details = CaptionsDetails {
        language: form.language.clone(),
        label: form.label.clone(),
        default: form.default,
        added: true,
    };
    Rendition {
        file_id: row.file.id,
        generation: row.file.generation,
        attempt: 0,
        name: format!("captions-{language}"),
        kind: RenditionKind::Captions,
        content_type: "text/vtt; charset=utf-8".to_owned(),
        size_bytes: length,
        width: None,
        height: None,
        bitrate: None,
        codecs: None,
        duration_ms: None,
        layout: vec![Piece { object, offset: 0, length }],
        etag: hex(&Sha256::digest(document)),
        rank: -1,
        packaging: None,
        details: Some(Details::Captions(details)),
        earned: false,
        used_at: None,
        created_at: Timestamp::now(),
    }
}

/// What no row names any more; what fails is found by the reconciler.
async fn discard(app: &App, stale: Option<Key>) {
    let Some(key) = stale else { return };
    if let Err(error) = app.storage.delete(&key).await {
        tracing::warn!(%key, %error, "captions that were replaced are left to the reconciler");
    }
}

fn invalid(error: &CaptionsError) -> ApiError {
    let mut message = error.to_string();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    ApiError::invalid(vec![Violation::new(["body".into()], message, "captions")])
}

fn too_many() -> ApiError {
    let detail = "The file has too many captions already; delete some first";
    ApiError::new(StatusCode::CONFLICT, "too_many_captions", detail)
}

fn no_captions() -> ApiError {
    let detail = "Nobody has added captions of this language";
    ApiError::new(StatusCode::NOT_FOUND, "rendition_not_found", detail)
}
