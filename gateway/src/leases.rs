//! `GET /v1/leases`: what plays now within the organisation, for its admins, the latest first.

use reelgate_common::{
    auth::Caller,
    db::LeaseFilter,
    ids::{FileId, UserId},
    lease::{LeaseId, PlaybackLease},
    timestamp::Timestamp,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    endpoint::{Endpoint, Tag, failures::DATABASE, inline, media},
    error::{ApiError, Violation},
    query::Query,
    respond::{Response, ok},
    revoke::only_admins,
};

const LIMIT: u64 = 200;

/// What `GET /v1/leases` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let example = json!({ "leases": [{
        "id": "kX3vY1m0Qd2uS8bT5nWc7A",
        "file_id": media::FILE,
        "user_id": "alice",
        "network": "203.0.113.0/24",
        "opened_at": "2026-11-30T09:12:58.911Z",
        "seen_at": "2026-11-30T09:14:00.000Z",
        "ends_at": "2026-11-30T15:12:58.911Z",
    }] });
    let list = Endpoint::get("/v1/leases", "listLeases", Tag::Leases)
        .says(
            "Lists what plays",
            "Up to 200 playbacks of the organisation that go on, the latest first. For its admins.",
        )
        .signed_in()
        .query("file_id", inline::<FileId>(), "Only those of this file.", json!(media::FILE))
        .query("user_id", inline::<UserId>(), "Only those of this person.", json!("alice"))
        .answers::<Page>(200, "They.", &example)
        .fails(&["validation_failed", "not_admin"])
        .fails(DATABASE);
    vec![list]
}

/// A playback that goes on.
#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackLease)]
struct LeaseJson {
    id: LeaseId,
    file_id: FileId,
    user_id: UserId,
    /// The client's network; never its whole address.
    network: String,
    opened_at: Timestamp,
    /// To the minute.
    seen_at: Timestamp,
    ends_at: Timestamp,
}

impl From<PlaybackLease> for LeaseJson {
    fn from(lease: PlaybackLease) -> Self {
        Self {
            id: lease.id,
            file_id: lease.file,
            user_id: lease.user,
            network: lease.client.prefix.to_string(),
            opened_at: lease.opened_at,
            seen_at: lease.seen_at,
            ends_at: lease.ends_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackLeases)]
struct Page {
    leases: Vec<LeaseJson>,
}

/// At most 200 of those that live; `file_id` and `user_id` narrow it.
///
/// # Errors
/// 403 for a caller who is no admin, 422 for a filter that is none.
pub(crate) async fn list(app: &App, caller: &Caller, query: &Query<'_>) -> Result<Response, ApiError> {
    only_admins(caller)?;
    let given = |name| query.get(name).filter(|text| !text.is_empty());
    let wrong = |name: &'static str, message, kind| Violation::new(["query".into(), name.into()], message, kind);
    let file = given("file_id").map(str::parse).transpose().map_err(|_| {
        ApiError::invalid(vec![wrong("file_id", "Input should be a valid UUID in its hyphenated form", "uuid_parsing")])
    })?;
    // Postgres takes no NUL, and no user has one.
    if given("user_id").is_some_and(|user| user.contains('\0')) {
        return Err(ApiError::invalid(vec![wrong("user_id", "Input should be a user", "value_error")]));
    }
    let user = given("user_id").map(UserId::new);
    let found = app.leases.living(&caller.org, &LeaseFilter { file, user, limit: LIMIT }).await?;
    Ok(ok(&Page { leases: found.into_iter().map(LeaseJson::from).collect() }))
}
