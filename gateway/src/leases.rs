//! `GET /v1/leases`: what plays now within the organisation, for its admins, the latest first.

use reelgate_common::{
    auth::Caller,
    db::LeaseFilter,
    ids::{FileId, UserId},
    lease::{LeaseId, PlaybackLease},
    timestamp::Timestamp,
};
use serde::Serialize;

use crate::{
    app::App,
    error::{ApiError, Violation},
    query::Query,
    respond::{Response, ok},
    revoke::only_admins,
};

const LIMIT: u64 = 200;

#[derive(Serialize)]
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

#[derive(Serialize)]
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
