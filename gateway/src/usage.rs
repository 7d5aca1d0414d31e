//! `GET /v1/usage`: what the caller's organisation has stored, and how much it may.

use reelgate_common::auth::Caller;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    endpoint::{Endpoint, Tag, failures::DATABASE},
    error::ApiError,
    respond::{Response, ok},
};

/// What `GET /v1/usage` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let example = json!({
        "bytes": 734_003_200,
        "files": 12,
        "uploads": 1,
        "quota": { "max_bytes": 1_000_000_000_000_u64, "max_files": null, "max_uploads": 20 },
    });
    let usage = Endpoint::get("/v1/usage", "getUsage", Tag::Files)
        .says(
            "Says what is stored",
            "Bytes, files and uploads of the caller's organisation, and how many of each it may have.",
        )
        .signed_in()
        .answers::<UsageJson>(200, "They.", &example)
        .fails(DATABASE);
    vec![usage]
}

/// What an organisation has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
struct UsageJson {
    /// As uploaded, those announced by uploads under way included.
    bytes: u64,
    /// Those on their way included.
    files: u64,
    /// Under way.
    uploads: u64,
    quota: QuotaJson,
}

/// What an organisation may have; `null` where there is no limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
struct QuotaJson {
    max_bytes: Option<u64>,
    max_files: Option<u64>,
    max_uploads: Option<u64>,
}

/// # Errors
/// The database is away.
pub(crate) async fn usage(app: &App, caller: &Caller) -> Result<Response, ApiError> {
    let (used, quota) = (app.db.usage(&caller.org).await?, app.config.quota.quota());
    let limit = |most: u64| Some(most).filter(|most| *most > 0);
    Ok(ok(&UsageJson {
        bytes: used.bytes,
        files: used.files,
        uploads: used.uploads,
        quota: QuotaJson {
            max_bytes: limit(quota.bytes),
            max_files: limit(quota.files),
            max_uploads: limit(quota.uploads),
        },
    }))
}
