//! What became of each file, as JSON: 200 if any was stored, else the status of the first error.

use http::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::form::Outcome;
use crate::{
    error::{ApiError, Detail},
    file_json::FileJson,
    respond::{self, Response},
};

pub(super) fn answer(outcomes: Vec<Outcome>) -> Response {
    let any_stored = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Stored(_)));
    let mut files = Vec::with_capacity(outcomes.len());
    let mut first = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Stored(stored) => files.push(json!(FileJson::from(&*stored))),
            Outcome::Failed { filename, error } => {
                let error = ApiError::from(error);
                files.push(failure(&filename, &error));
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) if !any_stored => refusal(error, &files),
        _ => respond::ok(&json!({ "files": files })),
    }
}

fn failure(filename: &str, error: &ApiError) -> Value {
    let message = match &error.detail {
        Detail::Text(text) => text.as_ref(),
        Detail::Invalid(_) => "The request is not valid",
    };
    json!({ "filename": filename, "error": { "code": error.code, "message": message } })
}

/// Nothing was stored: an error body as everywhere, and beside it what happened to each file.
fn refusal(error: ApiError, files: &[Value]) -> Response {
    let (status, code, detail) = (error.status, error.code.clone(), error.detail.clone());
    let retry_after = error.into_response().headers().get(RETRY_AFTER).cloned();
    let mut response = respond::json(status, &json!({ "detail": detail, "code": code, "files": files }));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}
