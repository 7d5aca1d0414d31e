//! `PATCH /v1/files/{id}`: another name, tags, metadata, an end. For the file's owner and admins.

use std::{borrow::Cow, collections::BTreeMap};

use http::Method;
use reelgate_common::{
    auth::Caller,
    db::{ChangedFile, FileChange},
    ids::FileId,
    labels::{self, MetadataChange},
    timestamp::Timestamp,
};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    app::App,
    body::RequestBody,
    endpoint::{Endpoint, Tag},
    error::{ApiError, Loc, Violation},
    file_json::{self, FileJson},
    grant::Grant,
    json_body,
    respond::{Response, ok},
    upload::display_name,
};

/// What `PATCH /v1/files/{file_id}` is.
pub(super) fn endpoint() -> Endpoint {
    let wish = json!({
        "filename": "Harbour.mp4", "tags": ["holiday"], "metadata": { "album": "17", "draft": null },
        "expires_at": "2126-11-30T12:00:00Z",
    });
    Endpoint::new(Method::PATCH, "/v1/files/{file_id}", "changeFile", Tag::Files)
        .says(
            "Changes what is said about a file",
            "Its name, its tags, its metadata, and when it ends; what is not named stays. For its owner and admins of its organisation.",
        )
        .signed_in()
        .of_file()
        .takes::<ChangeWish>("What changes.", &wish)
        .answers::<FileJson<'_>>(200, "The file.", &file_json::example())
        .fails(&["not_owner", "file_changed"])
}

/// As the document tells it; `parse` reads it.
#[derive(ToSchema)]
#[schema(as = FileChange)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct ChangeWish {
    #[schema(nullable = false, min_length = 1)]
    filename: Option<String>,
    /// In the place of all that it has.
    #[schema(nullable = false, max_items = 32)]
    tags: Option<Vec<String>>,
    /// Pairs to add and to replace; `null` takes one away.
    #[schema(nullable = false)]
    metadata: Option<BTreeMap<String, Option<String>>>,
    /// From then on it is as good as deleted; `null`: never.
    expires_at: Option<Timestamp>,
    /// Only if the file's `updated_at` is still this.
    #[schema(nullable = false)]
    if_updated_at: Option<Timestamp>,
}

/// # Errors
/// 422 for a body that is no change, 404, 403 for neither owner nor admin, 409 when it was changed since `if_updated_at`.
pub(crate) async fn change(app: &App, caller: &Caller, file: FileId, body: RequestBody) -> Result<Response, ApiError> {
    let row = app.db.find_file(&caller.org, file).await?.ok_or_else(ApiError::file_not_found)?;
    Grant::from(caller.clone()).owns(&row.file)?;
    let change = json_body::object(body).await?.ok_or_else(|| ApiError::invalid(vec![missing()]))?;
    let change = parse(&change, Timestamp::now())?;
    let changed = app.db.change_file(&caller.org, file, &change).await?;
    app.rows.forget(&caller.org, file);
    match changed {
        ChangedFile::Done(row) => {
            tracing::info!(file.id = %file, org = %caller.org, user = %caller.user,
                override_by_admin = row.file.owner_id != caller.user, "a file was changed");
            Ok(ok(&FileJson::from(&*row)))
        }
        ChangedFile::TooMuch(why) => {
            Err(ApiError::invalid(vec![Violation::new(["body".into(), "metadata".into()], why, "value_error")]))
        }
        ChangedFile::Moved => Err(ApiError::new(
            http::StatusCode::CONFLICT,
            "file_changed",
            "The file was changed since if_updated_at; look at it again",
        )),
        ChangedFile::NoSuchFile => Err(ApiError::file_not_found()),
    }
}

fn missing() -> Violation {
    Violation::new(["body".into()], "Field required", "missing")
}

fn parse(body: &Map<String, Value>, now: Timestamp) -> Result<FileChange, ApiError> {
    let (mut change, mut wrong) = (FileChange::default(), Vec::new());
    for (name, value) in body {
        let read = match name.as_str() {
            "filename" => filename(value).map(|name| change.filename = Some(name)),
            "tags" => tags(value).map(|tags| change.tags = Some(tags)),
            "metadata" => metadata(value).map(|metadata| change.metadata = metadata),
            "expires_at" => expiry(value, now).map(|at| change.expires_at = Some(at)),
            "if_updated_at" => time(value, "if_updated_at").map(|at| change.unchanged_since = Some(at)),
            _ => Err(at([Cow::Owned(name.clone())], "Extra inputs are not permitted", "extra_forbidden")),
        };
        wrong.extend(read.err());
    }
    if wrong.is_empty() { Ok(change) } else { Err(ApiError::invalid(wrong)) }
}

fn at<const N: usize>(below: [Cow<'static, str>; N], message: &'static str, kind: &'static str) -> Violation {
    let loc = std::iter::once("body".into()).chain(below.into_iter().map(Loc::Name)).collect();
    Violation { loc, msg: message.into(), kind }
}

fn filename(value: &Value) -> Result<String, Violation> {
    let name =
        value.as_str().ok_or_else(|| at(["filename".into()], "Input should be a valid string", "string_type"))?;
    if name.trim().is_empty() {
        return Err(at(["filename".into()], "A file has a name", "string_too_short"));
    }
    Ok(display_name(name))
}

fn tags(value: &Value) -> Result<Vec<String>, Violation> {
    let list = value.as_array().ok_or_else(|| at(["tags".into()], "Input should be a valid list", "list_type"))?;
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    let texts = texts.ok_or_else(|| at(["tags".into()], "Tags are strings", "string_type"))?;
    labels::tags(texts)
        .map_err(|(index, why)| Violation::new(["body".into(), "tags".into(), index.into()], why, "value_error"))
}

fn metadata(value: &Value) -> Result<MetadataChange, Violation> {
    let pairs =
        value.as_object().ok_or_else(|| at(["metadata".into()], "Input should be a valid dictionary", "dict_type"))?;
    pairs.iter().map(|(name, value)| Ok((name.clone(), pair(name, value)?))).collect()
}

fn pair(name: &str, value: &Value) -> Result<Option<String>, Violation> {
    let refuse = |why, kind| at(["metadata".into(), Cow::Owned(name.to_owned())], why, kind);
    match value {
        Value::Null => Ok(None),
        Value::String(text) => match labels::pair(name, text) {
            Ok(()) => Ok(Some(text.clone())),
            Err(why) => Err(refuse(why, "value_error")),
        },
        _ => Err(refuse("Input should be a string, or null to take it away", "string_type")),
    }
}

fn expiry(value: &Value, now: Timestamp) -> Result<Option<Timestamp>, Violation> {
    if value.is_null() {
        return Ok(None);
    }
    match time(value, "expires_at")? {
        past if past <= now => Err(at(["expires_at".into()], "Input should be in the future", "datetime_future")),
        future => Ok(Some(future)),
    }
}

fn time(value: &Value, name: &'static str) -> Result<Timestamp, Violation> {
    let message = "Input should be a time as in RFC 3339, e.g. 2026-11-30T12:00:00Z";
    value.as_str().and_then(Timestamp::parse).ok_or_else(|| at([name.into()], message, "datetime_parsing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Detail;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn of(body: &Value) -> Result<FileChange, ApiError> {
        parse(body.as_object().unwrap(), NOW)
    }

    #[test]
    fn a_change_says_only_what_it_changes() {
        assert_eq!(of(&json!({})).unwrap(), FileChange::default());
        let change =
            of(&json!({"filename": " a/b\u{202e}.mp4 ", "tags": ["x", "x"], "metadata": {"k": "v", "gone": null},
            "expires_at": "2023-11-14T22:13:20.001Z", "if_updated_at": "2023-11-14T22:13:20Z"}))
            .unwrap();
        assert_eq!((change.filename.as_deref(), change.tags.unwrap().len()), (Some("b.mp4"), 1));
        assert_eq!((change.metadata["k"].as_deref(), &change.metadata["gone"]), (Some("v"), &None));
        assert_eq!((change.expires_at, change.unchanged_since), (Some(Some(Timestamp(NOW.0 + 1))), Some(NOW)));
        assert_eq!(of(&json!({"expires_at": null})).unwrap().expires_at, Some(None));
    }

    #[test]
    fn whatever_is_wrong_is_named() {
        for (body, loc) in [
            (json!({"filename": 1}), json!(["body", "filename"])),
            (json!({"filename": "  "}), json!(["body", "filename"])),
            (json!({"tags": null}), json!(["body", "tags"])),
            (json!({"tags": [1]}), json!(["body", "tags"])),
            (json!({"tags": ["a", "b,c"]}), json!(["body", "tags", 1])),
            (json!({"metadata": []}), json!(["body", "metadata"])),
            (json!({"metadata": {"k": 1}}), json!(["body", "metadata", "k"])),
            (json!({"metadata": {"k": "\u{0}"}}), json!(["body", "metadata", "k"])),
            (json!({"expires_at": "2023-11-14T22:13:20Z"}), json!(["body", "expires_at"])),
            (json!({"expires_at": 7}), json!(["body", "expires_at"])),
            (json!({"state": "ready"}), json!(["body", "state"])),
        ] {
            let Detail::Invalid(wrong) = of(&body).unwrap_err().detail else { panic!() };
            assert_eq!(serde_json::to_value(&wrong[0].loc).unwrap(), loc, "{body}");
        }
        let Detail::Invalid(wrong) = of(&json!({"tags": 1, "metadata": 1, "x": 1})).unwrap_err().detail else {
            panic!()
        };
        assert_eq!(wrong.len(), 3, "all at once");
    }
}
