//! `GET /v1/files/{id}/cost`: what a file takes and has taken: bytes in the store, time of workers; and how often it is watched, which is
//! what that is for.

use reelgate_common::{
    auth::Caller,
    db::{FileWithRenditions, Views, WorkerTime},
    earned::EarnedPolicy,
    ids::FileId,
    rendition::{Rendition, RenditionKind, Role},
    timestamp::Timestamp,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    endpoint::{Endpoint, Tag, failures::DATABASE},
    error::ApiError,
    respond::{Response, ok},
};

/// What `GET /v1/files/{id}/cost` is.
pub(crate) fn endpoint() -> Endpoint {
    let example = json!({
        "source_bytes": 48_231_004,
        "stored_bytes": 92_002_117,
        "renditions": [
            { "name": "1080p", "kind": "video", "bytes": 36_770_113, "earned": true, "last_used_at": "2026-11-30T14:00:03.120Z" },
            { "name": "360p", "kind": "video", "bytes": 7_001_000, "earned": false, "last_used_at": null },
        ],
        "worker_ms": 61_200,
        "earned_worker_ms": 40_100,
        "views": { "total": 12, "window": 4, "window_ms": 2_592_000_000_u64 },
    });
    Endpoint::get("/v1/files/{file_id}/cost", "getFileCost", Tag::Files)
        .says(
            "Says what a file costs",
            "Bytes in the store, time that workers have worked on it, and how often it is watched. Segment indexes and thumbnails, which are small, are left out.",
        )
        .signed_in()
        .of_file()
        .answers::<CostJson<'_>>(200, "That.", &example)
        .fails(DATABASE)
}

/// What a file takes and has taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileCost)]
struct CostJson<'a> {
    source_bytes: u64,
    /// The source and all renditions.
    stored_bytes: u64,
    renditions: Vec<RenditionCost<'a>>,
    /// How long attempts have taken that are over, those that failed and those for renditions that were dropped included.
    worker_ms: u64,
    /// Of these for what was made because the file was watched.
    earned_worker_ms: u64,
    views: ViewsJson,
}

/// What a rendition takes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenditionCost)]
struct RenditionCost<'a> {
    name: &'a str,
    kind: RenditionKind,
    /// Beside the source, whose bytes it may show.
    bytes: u64,
    /// It was made because the file was watched, and goes when nobody is shown it any more.
    earned: bool,
    /// Of earned ones alone, to about an hour: when somebody was last shown it, or when it was made.
    last_used_at: Option<Timestamp>,
}

/// How often a file is watched. Nothing is counted unless something can be earned.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileViews)]
struct ViewsJson {
    total: u64,
    /// Within the last `window_ms`.
    window: u64,
    window_ms: u64,
}

/// # Errors
/// 404 for a file that is not the organisation's.
pub(crate) async fn cost(app: &App, caller: &Caller, file: FileId) -> Result<Response, ApiError> {
    let (db, policy) = (&app.db, &app.config.earned);
    let row = db.find_file(&caller.org, file).await?.ok_or_else(ApiError::file_not_found)?;
    let views = db.views_of(&caller.org, file, policy.window()).await?;
    let time = db.worker_time(&caller.org, file).await?;
    Ok(ok(&added_up(&row, views, time, policy)))
}

fn added_up<'a>(row: &'a FileWithRenditions, views: Views, time: WorkerTime, policy: &EarnedPolicy) -> CostJson<'a> {
    let renditions: Vec<_> = row.renditions.iter().map(RenditionCost::of).collect();
    let made: u64 = renditions.iter().map(|rendition| rendition.bytes).sum();
    CostJson {
        source_bytes: row.file.size_bytes,
        stored_bytes: row.file.size_bytes.saturating_add(made),
        renditions,
        worker_ms: time.total_ms,
        earned_worker_ms: time.earned_ms,
        views: ViewsJson { total: views.total, window: views.window, window_ms: policy.window_ms },
    }
}

impl<'a> RenditionCost<'a> {
    fn of(rendition: &'a Rendition) -> Self {
        let own = rendition.layout.iter().filter(|piece| piece.object != Role::Source);
        Self {
            name: &rendition.name,
            kind: rendition.kind,
            bytes: own.map(|piece| piece.length).sum(),
            earned: rendition.earned,
            last_used_at: rendition.used_at,
        }
    }
}
