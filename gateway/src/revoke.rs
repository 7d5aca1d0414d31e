//! `POST /v1/leases/revoke`: an admin ends what plays within the own organisation.

use reelgate_common::{
    auth::{Caller, usable_identifier},
    ids::{FileId, UserId},
    lease::{LeaseId, Subject},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    app::App,
    body::RequestBody,
    endpoint::{Endpoint, Tag, failures::DATABASE},
    error::{ApiError, Violation},
    json_body,
    respond::{Response, ok},
};

/// What `POST /v1/leases/revoke` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let revoke = Endpoint::post("/v1/leases/revoke", "revokeLeases", Tag::Leases)
        .says(
            "Ends playback",
            "Of one person, one file, one lease or everybody of the organisation: their streams end and their tokens are refused. For its admins.",
        )
        .signed_in()
        .takes::<RevokeWish>("Whose.", &json!({ "user_id": "alice" }))
        .answers::<Revoked>(200, "It has ended.", &json!({ "revoked": true }))
        .fails(&["not_admin", "lease_not_found"])
        .fails(DATABASE);
    vec![revoke]
}

/// Exactly one of these, as the document tells it; `parse` reads it.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read by the derived schema alone")]
enum RevokeWish {
    User {
        #[schema(value_type = String, min_length = 1, max_length = 64)]
        user_id: UserId,
    },
    File {
        file_id: FileId,
    },
    Lease {
        lease_id: LeaseId,
    },
    All {
        /// `true`
        all: bool,
    },
}

/// What was revoked does not play any more.
#[derive(Serialize, ToSchema)]
struct Revoked {
    revoked: bool,
}

/// # Errors
/// 403 for a caller who is no admin, 422 for a body that does not name exactly one subject, 404 for a lease that the
/// organisation does not have.
pub(crate) async fn revoke(app: &App, caller: &Caller, body: RequestBody) -> Result<Response, ApiError> {
    only_admins(caller)?;
    let subject = parse(&json_body::object(body).await?.unwrap_or_default())?;
    if !app.leases.revoke(&caller.org, &subject).await? {
        return Err(ApiError::new(http::StatusCode::NOT_FOUND, "lease_not_found", "Lease not found"));
    }
    tracing::info!(org = %caller.org, user = %caller.user, subject = name(&subject), "playback was revoked");
    Ok(ok(&Revoked { revoked: true }))
}

pub(crate) fn only_admins(caller: &Caller) -> Result<(), ApiError> {
    if caller.admin {
        return Ok(());
    }
    Err(ApiError::forbidden("not_admin", "Only an admin of the organisation may do this"))
}

/// A lease's name is as good as a token, so the log does not get it.
fn name(subject: &Subject) -> &'static str {
    match subject {
        Subject::Org => "organisation",
        Subject::User(_) => "user",
        Subject::File(_) => "file",
        Subject::Lease(_) => "lease",
    }
}

/// Exactly one of the four; other fields are ignored, `null` is as good as absent.
fn parse(body: &Map<String, Value>) -> Result<Subject, ApiError> {
    let given = |name| body.get(name).filter(|value| !value.is_null());
    let named: Vec<_> =
        ["user_id", "file_id", "lease_id", "all"].into_iter().filter_map(|name| Some((name, given(name)?))).collect();
    let [(name, value)] = *named.as_slice() else {
        let message = "Give exactly one of user_id, file_id, lease_id and all";
        return Err(wrong("body", message, "value_error"));
    };
    match (name, value) {
        ("all", Value::Bool(true)) => Ok(Subject::Org),
        ("all", _) => Err(wrong(name, "Input should be true", "literal_error")),
        (_, Value::String(text)) => subject(name, text),
        _ => Err(wrong(name, "Input should be a valid string", "string_type")),
    }
}

fn subject(name: &'static str, text: &str) -> Result<Subject, ApiError> {
    match name {
        "file_id" => text
            .parse()
            .map(Subject::File)
            .map_err(|_| wrong(name, "Input should be a valid UUID in its hyphenated form", "uuid_parsing")),
        "lease_id" => text
            .parse()
            .map(Subject::Lease)
            .map_err(|_| wrong(name, "Input should be the name of a lease", "value_error")),
        // Every gateway holds what was revoked in memory, so it takes no names that nobody can sign in with.
        _ if usable_identifier(text) => Ok(Subject::User(UserId::new(text))),
        _ => Err(wrong(name, "Input should be a user", "value_error")),
    }
}

fn wrong(name: &'static str, message: &'static str, kind: &'static str) -> ApiError {
    let violation = match name {
        "body" => Violation::new(["body".into()], message, kind),
        _ => Violation::new(["body".into(), name.into()], message, kind),
    };
    ApiError::invalid(vec![violation])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: Value) -> Result<Subject, ApiError> {
        let Value::Object(body) = body else { panic!("an object") };
        parse(&body)
    }

    #[test]
    fn exactly_one_subject_is_taken() {
        let (file, lease) = (FileId::new(), LeaseId::random());
        assert_eq!(of(json!({"all": true})), Ok(Subject::Org));
        assert_eq!(of(json!({"user_id": "bob", "file_id": null})), Ok(Subject::User(UserId::new("bob"))));
        assert_eq!(of(json!({"file_id": file})), Ok(Subject::File(file)));
        assert_eq!(of(json!({"lease_id": lease.to_string()})), Ok(Subject::Lease(lease)));
    }

    #[test]
    fn anything_else_is_422() {
        for body in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "user_id": "bob"}),
            json!({"user_id": ""}),
            json!({"user_id": 7}),
            json!({"user_id": "a\0b"}),
            json!({"user_id": "x".repeat(65)}),
            json!({"file_id": "x"}),
            json!({"lease_id": "x"}),
        ] {
            assert_eq!(of(body.clone()).unwrap_err().status, http::StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        }
    }
}
