//! How a request fails, in the document: one response for each status, with the codes that may stand in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    endpoint::{
        Endpoint,
        failures::{FAILED, Failure, of_files},
    },
    error::{ERROR_SCHEMA, INVALID, INVALID_SCHEMA},
};

/// Adds them to the responses of an operation.
///
/// # Panics
/// `docs/errors.md` does not explain a code. A test asks for all.
pub(super) fn add(operation: &mut Map<String, Value>, endpoint: &Endpoint) {
    let codes: BTreeSet<&str> = endpoint.failures.iter().copied().collect();
    let mut by_status: BTreeMap<u16, Vec<Failure>> = BTreeMap::new();
    for failure in codes.into_iter().map(Failure::of) {
        by_status.entry(failure.status).or_default().push(failure);
    }
    let schema = endpoint.failure_schema.as_deref().unwrap_or(ERROR_SCHEMA);
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    for (status, failures) in by_status {
        let mut response = response(status, &failures, schema);
        if let Some((_, problem)) = endpoint.problems.as_ref().filter(|(statuses, _)| statuses.contains(&status)) {
            response["content"]["application/problem+json"] = problem.clone();
        }
        responses[status.to_string()] = response;
    }
}

fn response(status: u16, failures: &[Failure], schema: &str) -> Value {
    let lines: Vec<String> =
        failures.iter().map(|failure| format!("- `{}`: {}", failure.code, failure.meaning)).collect();
    let examples: Map<String, Value> =
        failures.iter().map(|failure| (failure.code.to_owned(), example(failure))).collect();
    json!({
        "description": lines.join("\n"),
        "headers": headers(status),
        "content": { "application/json": { "schema": told(failures, schema), "examples": examples } },
    })
}

/// A list of what is wrong has a form of its own.
fn told(failures: &[Failure], schema: &str) -> Value {
    let lists = failures.iter().any(|failure| failure.code == INVALID);
    let rest: Vec<&'static str> = failures.iter().map(|failure| failure.code).filter(|code| *code != INVALID).collect();
    let coded = |schema: &str, codes: Value| {
        let narrowed = json!({ "type": "object", "required": ["code"], "properties": { "code": { "type": "string", "enum": codes } } });
        json!({ "allOf": [{ "$ref": format!("#/components/schemas/{schema}") }, narrowed] })
    };
    let invalid = || json!({ "$ref": format!("#/components/schemas/{INVALID_SCHEMA}") });
    match (lists, rest.is_empty()) {
        (true, true) => invalid(),
        (true, false) => json!({ "oneOf": [invalid(), coded(schema, json!(with_files(&rest)))] }),
        (false, _) => coded(schema, json!(with_files(&rest))),
    }
}

/// Where a file may have failed, any of its codes.
fn with_files(codes: &[&'static str]) -> Vec<&'static str> {
    let files = codes.contains(&FAILED).then(of_files).into_iter().flatten();
    codes.iter().copied().chain(files).collect()
}

fn example(failure: &Failure) -> Value {
    let detail = match failure.code {
        INVALID => json!([{ "loc": ["query", "token"], "msg": "Field required", "type": "missing" }]),
        _ => sentence(failure.meaning).into(),
    };
    json!({ "value": { "detail": detail, "code": failure.code } })
}

fn sentence(meaning: &str) -> String {
    let mut letters = meaning.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn headers(status: u16) -> Value {
    let mut headers = json!({
        "X-Request-Id": { "description": "Names the request in the server's log.", "schema": { "type": "string" } },
    });
    match status {
        401 => {
            let challenge = "How to sign in (RFC 6750).";
            headers["WWW-Authenticate"] = json!({ "description": challenge, "schema": { "type": "string" } });
        }
        409 | 429 | 503 | 507 => {
            let after = "Seconds after which it is worth asking again, where it is.";
            headers["Retry-After"] = json!({ "description": after, "schema": { "type": "integer", "minimum": 0 } });
        }
        416 => {
            let length = "How many bytes there are: `bytes */1234`.";
            headers["Content-Range"] = json!({ "description": length, "schema": { "type": "string" } });
        }
        _ => {}
    }
    headers
}
