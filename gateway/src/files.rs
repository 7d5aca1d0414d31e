//! `/v1/files`: what there is, for everybody of the organisation, and what people say about a file.

mod change;
mod filter;

use reelgate_common::{
    auth::Caller,
    file::{FileKind, FileState},
    ids::FileId,
    labels::{MAX_TAGS, MAX_WORD},
    listing::Sort,
    timestamp::Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

pub(crate) use self::change::change;
use self::filter::{MAX_TEXT, parse};
use crate::{
    app::App,
    cost,
    endpoint::{Endpoint, Tag, failures::DATABASE, inline},
    error::ApiError,
    file_json::{self, FileJson},
    query::Query,
    respond::{Response, ok},
    revoke::only_admins,
};

/// What stands behind `/v1/files` and is about what people know and say of files.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let info = Endpoint::get("/v1/files/{file_id}/info", "getFileInfo", Tag::Files)
        .says("Tells about a file", "Its state, what was found in it, and what was made of it so far.")
        .signed_in()
        .of_file()
        .answers::<FileJson<'_>>(200, "The file.", &file_json::example());
    vec![listed(), info, cost::endpoint(), change::endpoint()]
}

fn listed() -> Endpoint {
    let several = |of: Value| json!({ "type": "array", "items": of });
    let bytes = || json!({ "type": "integer", "minimum": 0 });
    let tag = json!({ "type": "string", "minLength": 1, "maxLength": MAX_WORD, "pattern": "^[^,]+$" });
    let tags = json!({ "type": "array", "items": tag, "maxItems": MAX_TAGS });
    let text = |most: usize| json!({ "type": "string", "maxLength": most });
    let order = json!({ "type": "string", "enum": Sort::ALL, "default": Sort::default().word() });
    let time = "2026-11-30T09:12:44Z";
    Endpoint::get("/v1/files", "listFiles", Tag::Files)
        .says(
            "Lists files",
            "Those of the caller's organisation, the newest first unless told otherwise, a page at a time.",
        )
        .signed_in()
        .query("state", several(inline::<FileState>()), "Only files in one of these states.", json!(["ready"]))
        .query("kind", several(inline::<FileKind>()), "Only files of one of these kinds.", json!(["video"]))
        .query("owner", text(64), "Only this user's files; `me` is the caller.", json!("me"))
        .query("created_after", inline::<Timestamp>(), "Only files created then or later.", json!(time))
        .query("created_before", inline::<Timestamp>(), "Only files created before.", json!(time))
        .query("size_min", bytes(), "Only files of at least so many bytes.", json!(1_000))
        .query("size_max", bytes(), "Only files of at most so many bytes.", json!(50_000_000))
        .query(
            "q",
            text(MAX_TEXT),
            "Only files with this text in their names, in small or capital letters.",
            json!("harbour"),
        )
        .query("tag", tags, "Only files that bear all of these tags.", json!(["holiday"]))
        .query("expires_before", inline::<Timestamp>(), "Only files that end before.", json!(time))
        .query("trashed", inline::<bool>(), "What is in the trash: the own files, all of them to admins.", json!(false))
        .query("sort", order, "In this order; with `-` the other way round.", json!("-created_at"))
        .limited()
        .query("cursor", text(2_048), "`next` of the page before, in the same order.", json!(CURSOR))
        .answers::<Page<'_>>(200, "A page.", &json!({ "files": [file_json::example()], "next": null }))
        .fails(&["validation_failed", "not_admin"])
        .fails(DATABASE)
}

/// For examples.
const CURSOR: &str = "LWNyZWF0ZWRfYXQgMDE5M2QyYzgtNWYzYS03YzQxLTlkMmUtNmIxZjBhN2M0ZTU1IDE3NjQ0OTM5NjQwMTc";

/// Files, in the order that was asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = FilePage)]
struct Page<'a> {
    files: Vec<FileJson<'a>>,
    /// `cursor` of the page that follows; `null` at the end.
    next: Option<String>,
}

/// `GET /v1/files`. The trash shows what the caller may take out of it: the own files, all to an admin.
///
/// # Errors
/// 422 for a filter that is none; 403 for another's trash.
pub(crate) async fn list(app: &App, caller: &Caller, query: &Query<'_>) -> Result<Response, ApiError> {
    let mut filter = parse(query, &caller.user)?;
    if filter.trashed && !caller.admin {
        match &filter.owner {
            Some(owner) if *owner != caller.user => only_admins(caller)?,
            _ => filter.owner = Some(caller.user.clone()),
        }
    }
    let limit = filter.limit;
    // One more tells whether anything follows.
    filter.limit += 1;
    let mut rows = app.db.list_files(&caller.org, &filter).await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|last| filter.sort.cursor(&filter.sort.place_of(&last.file)));
    Ok(ok(&Page { files: rows.iter().map(FileJson::from).collect(), next }))
}

/// # Errors
/// 404 for a file that is not the organisation's.
pub(crate) async fn info(app: &App, caller: &Caller, file: FileId) -> Result<Response, ApiError> {
    let row = app.db.find_file(&caller.org, file).await?.ok_or_else(ApiError::file_not_found)?;
    Ok(ok(&FileJson::from(&row)))
}
