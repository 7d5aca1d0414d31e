//! `GET /v1/files/{id}/thumbnail?t=&w=`: a stored one is served; else a job is asked for it, and the answer waits a moment.
//! Of many clients of this gateway that want the same, one asks and all are told; between gateways the database's row is what
//! makes one job of it.

pub mod config;
pub(crate) mod waiting;
mod wish;

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header::VARY};
use reelgate_common::{
    db::{AskedStill, DueJob, FileWithRenditions, StillLimits},
    ids::{FileId, OrgId},
    key::Key,
    rendition::{RenditionKind, Role},
    still::MadeStill,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use self::{
    config::ThumbnailsConfig,
    waiting::{Name, Outcome},
    wish::Wish,
};
use crate::{
    announce::announce,
    app::App,
    endpoint::{Endpoint, Tag},
    error::ApiError,
    grant::Grant,
    images,
    play::{Ask, serve},
    representation::{Caching, Representation, missing_rendition},
    respond::Response,
    virtual_file::VirtualFile,
};

/// How often it is looked for: soon at first, for most are made at once.
const FIRST_LOOK: Duration = Duration::from_millis(40);
const LONGEST_LOOK: Duration = Duration::from_millis(200);

/// What `GET /v1/files/{file_id}/thumbnail` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let second = json!({ "type": "number", "minimum": 0, "maximum": 1_000_000 });
    let width = json!({ "type": "integer", "minimum": 1, "default": 320 });
    let format = json!({ "type": "string", "enum": ["jpeg", "jpg", "png", "webp"] });
    let said = Endpoint::get("/v1/files/{file_id}/thumbnail", "getThumbnail", Tag::Images)
        .says("Picture of a film at a time", "Made when it is asked for first; who asks waits a moment for it.")
        .played()
        .of_file()
        .query("t", second, "Seconds from the beginning; a fraction is left out.", json!(12))
        .required()
        .query("w", width, "Pixels; the next of 160, 320, 640 and 1280 is taken.", json!(320))
        .query("format", format, "Without it, `Accept` decides between the three.", json!("webp"))
        .shows("The picture.", &["image/jpeg", "image/png", "image/webp"])
        .fails(&["thumbnail_pending", "thumbnail_failed", "too_many_thumbnails"]);
    vec![said]
}

/// # Errors
/// 422 for parameters that are none; 404, 403, 409; 429 and 503 when it takes longer; 412, 416.
pub(crate) async fn thumbnail(app: &Arc<App>, grant: Grant, file: FileId, ask: Ask<'_>) -> Result<Response, ApiError> {
    let wish = Wish::parse(ask.query, ask.headers)?;
    let is_film =
        |row: &FileWithRenditions| row.renditions.iter().any(|rendition| rendition.kind == RenditionKind::Video);
    let row = images::row_with(app, &grant, file, is_film).await?;
    if !is_film(&row) {
        return Err(missing_rendition(&row.file));
    }
    let still = wish.within(row.file.media.as_ref().map(|media| media.duration_ms))?;
    let name = (row.file.id, row.file.generation, still);
    let (asking, org) = (app.clone(), row.file.org_id.clone());
    let made = app.thumbnails.once(name, |name| async move { make(&asking, &org, name).await }).await?;
    let mut response = serve(app, &row.file, shown(&made), None, ask).await?;
    if wish.negotiated {
        response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    }
    Ok(response)
}

fn shown(made: &MadeStill) -> Representation {
    Representation {
        content_type: HeaderValue::from_static(made.still.format.content_type()),
        disposition: HeaderValue::from_static("inline"),
        etag: made.etag.clone(),
        modified: made.made_at,
        bytes: VirtualFile::of_object(Role::Output(made.still.name()), made.size_bytes),
        attempt: made.attempt,
        caching: Caching::Private,
    }
}

async fn make(app: &Arc<App>, org: &OrgId, (file, generation, still): Name) -> Outcome {
    if let Some(known) = app.db.find_still(org, file, generation, &still).await? {
        return settled(known).unwrap_or_else(|| Err(ApiError::internal()));
    }
    let ThumbnailsConfig { max_waiting, max_stored, .. } = app.thumbnails.config;
    let limits = StillLimits { waiting: max_waiting, stored: max_stored };
    match app.db.ask_still(org, file, &still, limits).await? {
        AskedStill::Waiting { job, evicted } => wake(app, job, evicted).await,
        known => return settled(known).unwrap_or_else(|| Err(ApiError::internal())),
    }
    let (mut look, end) = (FIRST_LOOK, Instant::now() + app.thumbnails.config.wait());
    while Instant::now() < end {
        sleep(look.min(end - Instant::now())).await;
        if let Some(settled) = app.db.find_still(org, file, generation, &still).await?.and_then(settled) {
            return settled;
        }
        look = (look * 3 / 2).min(LONGEST_LOOK);
    }
    let detail = "The thumbnail is being made; ask again in a moment";
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "thumbnail_pending", detail).retry_after(2))
}

async fn wake(app: &Arc<App>, job: Option<DueJob>, evicted: Vec<Key>) {
    if let Some(due) = job {
        announce(app.queue.as_ref(), due.into()).await;
    }
    if evicted.is_empty() {
        return;
    }
    let storage = app.storage.clone();
    // Nobody waits for it; what fails is found by the reconciler.
    drop(tokio::spawn(async move {
        for key in evicted {
            if let Err(error) = storage.delete(&key).await {
                tracing::warn!(%key, %error, "an old thumbnail is left to the reconciler");
            }
        }
    }));
}

/// `None` while it is waited for.
fn settled(asked: AskedStill) -> Option<Outcome> {
    Some(match asked {
        AskedStill::Made(made) => Ok(made),
        AskedStill::Waiting { .. } => return None,
        AskedStill::NoSuchFile => Err(ApiError::file_not_found()),
        AskedStill::Refused(why) => {
            let detail = format!("No thumbnail can be made here: {why}");
            Err(ApiError::new(StatusCode::CONFLICT, "thumbnail_failed", detail))
        }
        AskedStill::TooMany => {
            let detail = "The organisation waits for too many thumbnails already";
            Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_thumbnails", detail).retry_after(5))
        }
    })
}
