//! `GET /v1/files` and `GET /v1/files/{id}/info`: what there is, for everybody of the organisation.

use std::str::FromStr;

use reelgate_common::{
    auth::Caller,
    db::FileFilter,
    file::{FileKind, FileState},
    ids::FileId,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    endpoint::{Endpoint, Tag, failures::DATABASE, inline, media},
    error::{ApiError, Violation},
    file_json::{self, FileJson},
    query::Query,
    respond::{Response, ok},
};

const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;

/// What `GET /v1/files` and `GET /v1/files/{file_id}/info` are.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let limits = json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT });
    let list = Endpoint::get("/v1/files", "listFiles", Tag::Files)
        .says("Lists files", "Those of the caller's organisation, the newest first, a page at a time.")
        .signed_in()
        .query("state", inline::<FileState>(), "Only files in this state.", json!("ready"))
        .query("kind", inline::<FileKind>(), "Only files of this kind.", json!("video"))
        .query("limit", limits, "As many at most.", json!(DEFAULT_LIMIT))
        .query("cursor", inline::<FileId>(), "`next` of the page before.", json!(media::FILE))
        .answers::<Page<'_>>(200, "A page.", &json!({ "files": [file_json::example()], "next": null }))
        .fails(&["validation_failed"])
        .fails(DATABASE);
    let info = Endpoint::get("/v1/files/{file_id}/info", "getFileInfo", Tag::Files)
        .says("Tells about a file", "Its state, what was found in it, and what was made of it so far.")
        .signed_in()
        .of_file()
        .answers::<FileJson<'_>>(200, "The file.", &file_json::example());
    vec![list, info]
}

/// Files, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = FilePage)]
struct Page<'a> {
    files: Vec<FileJson<'a>>,
    /// `cursor` of the page that follows; `null` at the end.
    next: Option<FileId>,
}

/// # Errors
/// 422 for a filter that is none.
pub(crate) async fn list(app: &App, caller: &Caller, query: &Query<'_>) -> Result<Response, ApiError> {
    let filter = parse(query)?;
    let rows = app.db.list_files(&caller.org, &filter).await?;
    let next = match rows.last() {
        Some(last) if rows.len() as u64 == filter.limit => more(app, caller, &filter, last.file.id).await?,
        _ => None,
    };
    Ok(ok(&Page { files: rows.iter().map(FileJson::from).collect(), next }))
}

/// The cursor after `last`, if anything follows: a full page may be the last one.
async fn more(app: &App, caller: &Caller, filter: &FileFilter, last: FileId) -> Result<Option<FileId>, ApiError> {
    let beyond = FileFilter { after: Some(last), limit: 1, ..filter.clone() };
    Ok(app.db.list_files(&caller.org, &beyond).await?.first().map(|_| last))
}

/// # Errors
/// 404 for a file that is not the organisation's.
pub(crate) async fn info(app: &App, caller: &Caller, file: FileId) -> Result<Response, ApiError> {
    let row = app.db.find_file(&caller.org, file).await?.ok_or_else(ApiError::file_not_found)?;
    Ok(ok(&FileJson::from(&row)))
}

fn parse(query: &Query) -> Result<FileFilter, ApiError> {
    let mut wrong = Vec::new();
    let filter = FileFilter {
        state: word(query, "state", "Input should be a file state", "enum", &mut wrong),
        kind: word(query, "kind", "Input should be 'video', 'audio', 'image' or 'other'", "enum", &mut wrong),
        after: word(query, "cursor", "Input should be the `next` of an earlier page", "value_error", &mut wrong),
        limit: limit(query, &mut wrong),
    };
    if wrong.is_empty() { Ok(filter) } else { Err(ApiError::invalid(wrong)) }
}

/// An empty parameter is as good as none: forms send those.
fn word<T: FromStr>(
    query: &Query,
    name: &'static str,
    message: &'static str,
    kind: &'static str,
    wrong: &mut Vec<Violation>,
) -> Option<T> {
    let parsed = query.get(name).filter(|text| !text.is_empty())?.parse();
    parsed.map_err(|_| wrong.push(Violation::new(["query".into(), name.into()], message, kind))).ok()
}

fn limit(query: &Query, wrong: &mut Vec<Violation>) -> u64 {
    let message = "Input should be a valid integer";
    let limit = word(query, "limit", message, "int_parsing", wrong).unwrap_or(DEFAULT_LIMIT);
    let mut refuse = |message, kind| wrong.push(Violation::new(["query".into(), "limit".into()], message, kind));
    if limit < 1 {
        refuse("Input should be greater than or equal to 1", "greater_than_equal");
    }
    if limit > MAX_LIMIT {
        refuse("Input should be less than or equal to 200", "less_than_equal");
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Detail;

    fn of(query: &str) -> Result<FileFilter, ApiError> {
        parse(&Query::parse(Some(query)))
    }

    #[test]
    fn filters_are_read() {
        let id = FileId::new();
        let filter = of(&format!("state=ready&kind=video&limit=200&cursor={id}")).unwrap();
        assert_eq!((filter.state, filter.kind), (Some(FileState::Ready), Some(FileKind::Video)));
        assert_eq!((filter.limit, filter.after), (200, Some(id)));
        assert_eq!(of("state=").unwrap().limit, DEFAULT_LIMIT);
    }

    #[test]
    fn each_wrong_one_is_named() {
        let Detail::Invalid(wrong) = of("state=x&kind=y&limit=0&cursor=z").unwrap_err().detail else { panic!() };
        let names: Vec<_> = wrong.iter().map(|violation| serde_json::to_value(&violation.loc[1]).unwrap()).collect();
        assert_eq!(names, ["state", "kind", "cursor", "limit"]);
        for limit in ["limit=201", "limit=-1", "limit=x"] {
            assert!(of(limit).is_err(), "{limit}");
        }
    }
}
