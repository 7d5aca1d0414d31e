//! One error for all handlers, and the one place where it becomes a response: FastAPI's bodies with a stable `code` beside.

use std::borrow::Cow;

use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};
use reelgate_common::{
    auth::AuthError,
    db::DbError,
    file::{Failure, FileState},
    storage::StorageError,
    tokens::TokenError,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    endpoint::Schemas,
    respond::{Response, json},
};

/// Why a request is not answered as asked. `code` is stable and listed in `docs/errors.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: Cow<'static, str>,
    pub detail: Detail,
    /// Of the file that is not playable yet.
    pub state: Option<FileState>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    Text(Cow<'static, str>),
    Invalid(Vec<Violation>),
}

/// One wrong input, as FastAPI's `HTTPValidationError` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ValidationError)]
pub struct Violation {
    /// Where: `query`, `path`, `header` or `body`, a field's name, an index.
    #[schema(inline)]
    pub loc: Vec<Loc>,
    /// A sentence.
    pub msg: Cow<'static, str>,
    /// Stable.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// A step of the way to a wrong input: `query`, `body`, a field's name, an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Loc {
    Name(Cow<'static, str>),
    Index(usize),
}

impl From<&'static str> for Loc {
    fn from(name: &'static str) -> Self {
        Self::Name(Cow::Borrowed(name))
    }
}

impl From<usize> for Loc {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Violation {
    pub fn new<const N: usize>(loc: [Loc; N], msg: impl Into<Cow<'static, str>>, kind: &'static str) -> Self {
        Self { loc: loc.into(), msg: msg.into(), kind }
    }

    #[must_use]
    pub fn missing(place: &'static str, name: &'static str) -> Self {
        Self::new([place.into(), name.into()], "Field required", "missing")
    }
}

/// Code and schema of an error that lists what is wrong; schema of all others.
pub(crate) const INVALID: &str = "validation_failed";
pub(crate) const INVALID_SCHEMA: &str = "HTTPValidationError";
pub(crate) const ERROR_SCHEMA: &str = "Error";

/// Why a request is not answered as asked.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
struct Told<'a> {
    /// A sentence, which may change.
    detail: &'a str,
    /// Stable; `docs/errors.md` explains each.
    code: &'a str,
    /// How far the file is, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    state: Option<FileState>,
}

/// What is wrong with the request, all of it.
#[derive(Serialize, ToSchema)]
#[schema(as = HTTPValidationError)]
struct Listed<'a> {
    detail: &'a [Violation],
    /// `validation_failed`
    code: &'a str,
}

/// What errors look like, for the document.
pub(crate) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Told<'_>>();
    schemas.add::<Listed<'_>>();
}

impl ApiError {
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: code.into(), detail: Detail::Text(detail.into()), state: None, headers: Vec::new() }
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    #[must_use]
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let detail = Detail::Invalid(violations);
        Self { detail, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", "") }
    }

    /// One more wrong input; other errors stay as they are.
    #[must_use]
    pub fn and(mut self, violation: Violation) -> Self {
        if let Detail::Invalid(violations) = &mut self.detail {
            violations.push(violation);
        }
        self
    }

    /// A part of the path that is no identifier.
    #[must_use]
    pub fn no_id(name: &'static str) -> Self {
        let message = "Input should be a valid UUID in its hyphenated form";
        Self::invalid(vec![Violation::new(["path".into(), name.into()], message, "uuid_parsing")])
    }

    /// Missing, deleted and foreign files are the same to a caller.
    #[must_use]
    pub fn file_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "file_not_found", "File not found")
    }

    #[must_use]
    pub fn forbidden(code: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    #[must_use]
    pub fn unauthorized(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let challenge = match code {
            "not_signed_in" => HeaderValue::from_static("Bearer realm=\"reelgate\""),
            _ => HeaderValue::from_static("Bearer realm=\"reelgate\", error=\"invalid_token\""),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, detail).header(WWW_AUTHENTICATE, challenge)
    }

    #[must_use]
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method Not Allowed")
            .header(ALLOW, HeaderValue::from_static(allow))
    }

    #[must_use]
    pub fn not_ready(state: FileState) -> Self {
        let detail = format!("The file is not ready to play yet: it is {state}");
        let error = Self::new(StatusCode::CONFLICT, "not_ready", detail).retry_after(2);
        Self { state: Some(state), ..error }
    }

    #[must_use]
    pub fn failed(failure: Option<&Failure>) -> Self {
        let (code, message) = failure.map_or(("failed", "The file could not be processed"), |failure| {
            (failure.code.as_str(), failure.message.as_str())
        });
        let error = Self::new(StatusCode::CONFLICT, code.to_owned(), message.to_owned());
        Self { state: Some(FileState::Failed), ..error }
    }

    /// Our fault; what happened is in the log under the request's id.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal Server Error")
    }

    #[must_use]
    pub fn into_response(self) -> Response {
        let code = &self.code;
        let mut response = match &self.detail {
            Detail::Text(detail) => json(self.status, &Told { detail, code, state: self.state }),
            Detail::Invalid(detail) => json(self.status, &Listed { detail, code }),
        };
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        Self::from(&error)
    }
}

impl From<&DbError> for ApiError {
    fn from(error: &DbError) -> Self {
        tracing::warn!(error = error as &dyn std::error::Error, "the database failed a request");
        match error {
            DbError::Away(_) if error.is_full() => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "database_full", "The database has no room left")
                    .retry_after(60)
            }
            DbError::Away(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", "The database is not available")
                    .retry_after(2)
            }
            DbError::Refused { .. } | DbError::Garbled(_) => Self::internal(),
        }
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        Self::from(&error)
    }
}

/// One failed fetch may be many requests' error.
impl From<&StorageError> for ApiError {
    fn from(error: &StorageError) -> Self {
        tracing::warn!(error = error as &dyn std::error::Error, "the object store failed a request");
        match error {
            StorageError::Full { .. } => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "storage_full", "The object store has no room left")
            }
            StorageError::Denied { .. } | StorageError::NotFound { .. } | StorageError::Changed { .. } => {
                Self::internal()
            }
            StorageError::Timeout { .. } | StorageError::Failed { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", "The object store is not available")
                    .retry_after(2)
            }
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Expired => Self::unauthorized("token_expired", error.to_string()),
            // The reason stays in the log: it helps an attacker more than a user.
            AuthError::Invalid(reason) => {
                tracing::debug!(reason, "a sign-in token was refused");
                Self::unauthorized("token_invalid", "The sign-in token is not valid")
            }
            AuthError::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "sign_in_unavailable", error.to_string()).retry_after(5)
            }
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Expired => "token_expired",
            TokenError::Invalid => "token_invalid",
        };
        Self::unauthorized(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn body(error: ApiError) -> serde_json::Value {
        let bytes = error.into_response().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn a_missing_query_parameter_reads_as_fastapi_says_it() {
        let error = ApiError::invalid(vec![Violation::missing("query", "token")]);
        assert_eq!(
            body(error).await,
            serde_json::json!({
                "detail": [{"loc": ["query", "token"], "msg": "Field required", "type": "missing"}],
                "code": "validation_failed",
            })
        );
    }

    #[tokio::test]
    async fn a_missing_file_has_a_text_and_a_code() {
        assert_eq!(
            body(ApiError::file_not_found()).await,
            serde_json::json!({"detail": "File not found", "code": "file_not_found"})
        );
    }

    #[tokio::test]
    async fn a_file_under_way_says_its_state_and_when_to_come_back() {
        let error = ApiError::not_ready(FileState::Processing);
        assert_eq!(error.clone().into_response().headers()[RETRY_AFTER], "2");
        assert_eq!(body(error).await["state"], "processing");
    }

    #[test]
    fn every_401_carries_a_challenge() {
        for error in [ApiError::from(TokenError::Expired), ApiError::from(AuthError::Invalid("alg"))] {
            assert!(error.into_response().headers().contains_key(WWW_AUTHENTICATE));
        }
    }
}
