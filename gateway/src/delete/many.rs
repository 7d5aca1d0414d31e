//! `POST /v1/files/delete`: each of up to 200 files as `DELETE` would, and for each what became of it.

use reelgate_common::{auth::Caller, ids::FileId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{Deleted, clean_up, remove};
use crate::{
    app::App,
    body::RequestBody,
    endpoint::{Endpoint, Tag, failures::DATABASE, media},
    error::{ApiError, Detail, Violation},
    json_body,
    respond::{Response, ok},
};

const MOST: usize = 200;

/// What `POST /v1/files/delete` is.
pub(super) fn endpoint() -> Endpoint {
    let refused = json!({ "id": OTHER, "error": { "code": "file_not_found", "message": "File not found" } });
    Endpoint::post("/v1/files/delete", "deleteFiles", Tag::Files)
        .says("Deletes many files", "Each as `DELETE` would, up to 200; the answer tells what became of each.")
        .signed_in()
        .takes::<Wish>("Which.", &json!({ "ids": [media::FILE, OTHER], "permanent": false }))
        .answers::<Answer>(200, "What became of each.", &json!({ "results": [super::example(), refused] }))
        .fails(DATABASE)
}

/// An id for examples.
const OTHER: &str = "0193d2c8-7a10-7b5e-8c3f-2d9e4f5a6b7c";

/// As the document tells it; `parse` reads it.
#[derive(ToSchema)]
#[schema(as = DeletionWish)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct Wish {
    #[schema(max_items = 200)]
    ids: Vec<FileId>,
    /// Past the trash, and out of it.
    permanent: Option<bool>,
}

/// What became of files that were to be deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = Deletions)]
struct Answer {
    /// In the order of the ids.
    results: Vec<Outcome>,
}

/// Gone, or why it is not.
#[derive(Serialize, ToSchema)]
#[schema(as = Deletion)]
#[serde(untagged)]
enum Outcome {
    Deleted(Deleted),
    Refused(Refused),
}

/// A file that is not gone.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedDeletion)]
struct Refused {
    id: FileId,
    error: Refusal,
}

/// Why a file was not deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletionError)]
struct Refusal {
    code: String,
    message: String,
}

/// # Errors
/// 422 for a body that names no files, or too many.
pub(crate) async fn delete_many(app: &App, caller: &Caller, body: RequestBody) -> Result<Response, ApiError> {
    let (ids, permanent) = parse(&json_body::object(body).await?.unwrap_or_default())?;
    let (mut results, mut gone) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        results.push(match remove(app, caller, id, permanent).await {
            Ok(removed) => {
                let deleted = Outcome::Deleted(Deleted::new(&removed));
                gone.push(removed);
                deleted
            }
            Err(error) => Outcome::Refused(Refused { id, error: Refusal::from(error) }),
        });
    }
    clean_up(app, gone).await;
    Ok(ok(&Answer { results }))
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let message = match error.detail {
            Detail::Text(text) => text.into_owned(),
            Detail::Invalid(_) => String::new(),
        };
        Self { code: error.code.into_owned(), message }
    }
}

fn parse(body: &Map<String, Value>) -> Result<(Vec<FileId>, bool), ApiError> {
    let refuse = |loc: Vec<_>, message, kind| ApiError::invalid(vec![Violation { loc, msg: message, kind }]);
    let field = |name: &'static str| vec!["body".into(), name.into()];
    let permanent = match json_body::present(body, "permanent") {
        None => false,
        Some(Value::Bool(permanent)) => *permanent,
        Some(_) => return Err(refuse(field("permanent"), "Input should be a valid boolean".into(), "bool_type")),
    };
    let Some(ids) = json_body::present(body, "ids") else {
        return Err(ApiError::invalid(vec![Violation::missing("body", "ids")]));
    };
    let Some(ids) = ids.as_array() else {
        return Err(refuse(field("ids"), "Input should be a valid list".into(), "list_type"));
    };
    if ids.len() > MOST {
        return Err(refuse(field("ids"), "List should have at most 200 items".into(), "too_long"));
    }
    let uuid = "Input should be a valid UUID in its hyphenated form";
    let id = |(index, value): (usize, &Value)| {
        let id = value.as_str().and_then(|text| text.parse().ok());
        id.ok_or_else(|| refuse(vec!["body".into(), "ids".into(), index.into()], uuid.into(), "uuid_parsing"))
    };
    Ok((ids.iter().enumerate().map(id).collect::<Result<_, _>>()?, permanent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_two_hundred_ids_are_taken() {
        let of = |body: Value| parse(body.as_object().unwrap());
        let id = FileId::new();
        assert_eq!(of(json!({"ids": [id], "permanent": true})).unwrap(), (vec![id], true));
        assert_eq!(of(json!({"ids": []})).unwrap(), (vec![], false));
        assert!(of(json!({"ids": vec![id; MOST]})).is_ok());
        for (wrong, loc) in [
            (json!({}), json!(["body", "ids"])),
            (json!({"ids": 1}), json!(["body", "ids"])),
            (json!({"ids": vec![id; MOST + 1]}), json!(["body", "ids"])),
            (json!({"ids": [id, "x"]}), json!(["body", "ids", 1])),
            (json!({"ids": [], "permanent": 1}), json!(["body", "permanent"])),
        ] {
            let Detail::Invalid(violations) = of(wrong.clone()).unwrap_err().detail else { panic!() };
            assert_eq!(serde_json::to_value(&violations[0].loc).unwrap(), loc, "{wrong}");
        }
    }
}
