//! `POST /v1/files/token`: a stream token for the caller, narrowed if the body says so.

use reelgate_common::{
    auth::Caller,
    ids::FileId,
    timestamp::Timestamp,
    tokens::{Claims, MAX_FILES, Scope, new_jti},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    app::App,
    body::RequestBody,
    endpoint::{Endpoint, Tag, media},
    error::{ApiError, Violation},
    json_body,
    respond::{Response, ok},
};

/// What `POST /v1/files/token` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let example = json!({
        "token": "v1.k1.eyJqIjoi.c2lnbmF0dXJl",
        "token_type": "bearer",
        "expires_in": 300,
        "expires_at": "2026-11-30T09:17:44.017Z",
    });
    let mint = Endpoint::post("/v1/files/token", "mintStreamToken", Tag::Playback)
        .says(
            "Makes a stream token",
            "It goes into addresses that a browser loads by itself, as `?token=`. It lives for five minutes; what was begun with it plays on.",
        )
        .signed_in()
        .may_take::<TokenWish>(
            "Narrows the token; without it, it plays every file of the organisation.",
            &json!({ "file_ids": [media::FILE], "scope": ["play", "image"] }),
        )
        .answers::<TokenJson>(200, "The token.", &example);
    vec![mint]
}

/// A stream token.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamToken)]
struct TokenJson {
    /// For `?token=`.
    token: String,
    /// `bearer`
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    expires_at: Timestamp,
}

/// # Errors
/// 422 for a body that cannot be read.
pub(crate) async fn mint(app: &App, caller: Caller, body: RequestBody) -> Result<Response, ApiError> {
    let wish = Wish::parse(&json_body::object(body).await?.unwrap_or_default())?;
    let expires_in = app.config.tokens.ttl_seconds;
    let issued_at = app.leases.issue_at(&caller.org, &caller.user);
    let expires_at = Timestamp::now().plus(std::time::Duration::from_secs(expires_in));
    let claims = Claims {
        jti: new_jti(),
        user: caller.user,
        org: caller.org,
        scope: wish.scope,
        files: wish.files,
        issued_at,
        expires_at,
    };
    Ok(ok(&TokenJson { token: app.keyring.sign(&claims), token_type: "bearer", expires_in, expires_at }))
}

/// What a stream token may be narrowed to, as the document tells it; `Wish::parse` reads it.
#[derive(ToSchema)]
#[schema(as = StreamTokenWish)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct TokenWish {
    /// Only these files.
    #[schema(min_items = 1, max_items = 100)]
    file_ids: Option<Vec<FileId>>,
    /// All but `events` unless said otherwise.
    scope: Option<ScopeWish>,
}

/// A list of scopes, or their names with spaces between them.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read by the derived schema alone")]
enum ScopeWish {
    List(ScopeList),
    Words(ScopeWords),
}

#[derive(ToSchema)]
#[schema(min_items = 1, max_items = 100)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct ScopeList(Vec<Scope>);

#[derive(ToSchema)]
#[schema(pattern = "^(play|source|image|events)( (play|source|image|events))*$")]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct ScopeWords(String);

/// What the body asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    scope: Vec<Scope>,
    files: Option<Vec<FileId>>,
}

impl Wish {
    /// Unknown fields are ignored, as FastAPI does; `null` is as good as absent.
    fn parse(body: &Map<String, Value>) -> Result<Self, ApiError> {
        let mut wrong = Vec::new();
        let files = json_body::present(body, "file_ids").map(|value| items(value, "file_ids", &mut wrong, file_id));
        let scope = json_body::present(body, "scope").map(|value| match value {
            Value::String(words) => {
                let words = words.split_whitespace().map(|word| Value::String(word.to_owned())).collect();
                items(&Value::Array(words), "scope", &mut wrong, scope)
            }
            _ => items(value, "scope", &mut wrong, scope),
        });
        for (name, empty) in [
            ("file_ids", files.as_ref().is_some_and(Vec::is_empty)),
            ("scope", scope.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if empty && wrong.is_empty() {
                let message = "List should have at least 1 item";
                wrong.push(Violation::new(["body".into(), name.into()], message, "too_short"));
            }
        }
        if !wrong.is_empty() {
            return Err(ApiError::invalid(wrong));
        }
        Ok(Self { scope: scope.map_or_else(|| Scope::DEFAULT.to_vec(), once_each), files })
    }
}

/// In the order given: what is said twice would only make the token longer.
fn once_each(scope: Vec<Scope>) -> Vec<Scope> {
    let mut unique = Vec::new();
    for one in scope {
        if !unique.contains(&one) {
            unique.push(one);
        }
    }
    unique
}

type Complaint = (&'static str, &'static str);

/// The members of a list that can be read; what cannot goes to `wrong` with its index. A long list is refused as a whole, for each
/// complaint is longer than what it complains about.
fn items<T>(
    value: &Value,
    field: &'static str,
    wrong: &mut Vec<Violation>,
    parse: fn(&str) -> Result<T, Complaint>,
) -> Vec<T> {
    let Value::Array(values) = value else {
        wrong.push(Violation::new(["body".into(), field.into()], "Input should be a valid list", "list_type"));
        return Vec::new();
    };
    if values.len() > MAX_FILES {
        let message = format!("List should have at most {MAX_FILES} items");
        wrong.push(Violation::new(["body".into(), field.into()], message, "too_long"));
        return Vec::new();
    }
    let mut good = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match value.as_str().ok_or(("Input should be a valid string", "string_type")).and_then(parse) {
            Ok(item) => good.push(item),
            Err((message, kind)) => {
                wrong.push(Violation::new(["body".into(), field.into(), index.into()], message, kind));
            }
        }
    }
    good
}

fn file_id(text: &str) -> Result<FileId, Complaint> {
    text.parse().map_err(|_| ("Input should be a valid UUID in its hyphenated form", "uuid_parsing"))
}

fn scope(text: &str) -> Result<Scope, Complaint> {
    text.parse().map_err(|_| ("Input should be 'play', 'source', 'image' or 'events'", "enum"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Detail;

    fn parse(value: Value) -> Result<Wish, ApiError> {
        let Value::Object(body) = value else { panic!("an object") };
        Wish::parse(&body)
    }

    fn complaints(value: Value) -> Value {
        match parse(value).unwrap_err().detail {
            Detail::Invalid(violations) => serde_json::to_value(violations).unwrap(),
            Detail::Text(text) => panic!("{text}"),
        }
    }

    #[test]
    fn without_a_body_a_token_may_do_all_but_events_with_every_file() {
        let all = Wish { scope: Scope::DEFAULT.to_vec(), files: None };
        assert_eq!(parse(json!({})), Ok(Wish { scope: all.scope.clone(), files: None }));
        assert_eq!(parse(json!({"file_ids": null, "scope": null, "extra": 1})), Ok(all));
    }

    #[test]
    fn it_can_be_narrowed() {
        let id = FileId::new();
        let wish = parse(json!({"file_ids": [id], "scope": ["play", "events"]}));
        assert_eq!(wish, Ok(Wish { scope: vec![Scope::Play, Scope::Events], files: Some(vec![id]) }));
        assert_eq!(parse(json!({"scope": "play image"})).unwrap().scope, [Scope::Play, Scope::Image]);
    }

    #[test]
    fn every_wrong_item_is_named() {
        assert_eq!(
            complaints(json!({"file_ids": [FileId::new(), "x", 7], "scope": ["all"]})),
            json!([
                {"loc": ["body", "file_ids", 1], "msg": "Input should be a valid UUID in its hyphenated form", "type": "uuid_parsing"},
                {"loc": ["body", "file_ids", 2], "msg": "Input should be a valid string", "type": "string_type"},
                {"loc": ["body", "scope", 0], "msg": "Input should be 'play', 'source', 'image' or 'events'", "type": "enum"},
            ])
        );
        assert_eq!(complaints(json!({"file_ids": "x"}))[0]["type"], "list_type");
    }

    #[test]
    fn an_empty_list_is_no_wish_for_everything() {
        assert_eq!(complaints(json!({"file_ids": []}))[0]["type"], "too_short");
        assert_eq!(complaints(json!({"scope": ""}))[0]["type"], "too_short");
    }

    #[test]
    fn a_token_must_fit_into_an_address() {
        let many: Vec<_> = (0..=MAX_FILES).map(|_| FileId::new()).collect();
        assert_eq!(complaints(json!({"file_ids": many}))[0]["type"], "too_long");
        let scopes = parse(json!({"scope": ["play", "image", "play"]})).unwrap().scope;
        assert_eq!(scopes, [Scope::Play, Scope::Image]);
    }

    #[test]
    fn complaints_are_no_longer_than_a_list_may_be() {
        for list in [json!({"file_ids": vec![7; 30_000]}), json!({"scope": "x ".repeat(30_000)})] {
            assert_eq!(complaints(list).as_array().unwrap().len(), 1);
        }
    }
}
