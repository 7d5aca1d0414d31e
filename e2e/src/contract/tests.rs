//! That an answer which is not as the document has it is told from one that is.

use http::HeaderValue;
use serde_json::json;

use super::*;

const FILE: &str = "/v1/files/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55";

fn held(method: &Method, path: &str, status: u16, (kind, body): (&'static str, &[u8])) -> Result<(), Breach> {
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let status = StatusCode::from_u16(status).unwrap();
    Contract::own().hold(&Exchange { method, path, status, headers: &headers, body: Some(body) })
}

fn json_held(method: &Method, path: &str, status: u16, body: &Value) -> Result<(), Breach> {
    held(method, path, status, ("application/json", body.to_string().as_bytes()))
}

/// What is wrong, in words.
fn wrong(outcome: Result<(), Breach>) -> String {
    outcome.unwrap_err().to_string()
}

fn usage() -> Value {
    reelgate_gateway::openapi::document()
        .pointer("/paths/~1v1~1usage/get/responses/200/content/application~1json/example")
        .unwrap()
        .clone()
}

#[test]
fn an_answer_as_it_is_described_is_right() {
    assert_eq!(json_held(&Method::GET, "/v1/usage", 200, &usage()), Ok(()));
    let missing = json!({ "detail": "File not found", "code": "file_not_found" });
    assert_eq!(json_held(&Method::GET, &format!("{FILE}/info?x=1"), 404, &missing), Ok(()));
    let invalid =
        json!({ "detail": [{ "loc": ["query", "limit"], "msg": "x", "type": "y" }], "code": "validation_failed" });
    assert_eq!(json_held(&Method::GET, "/v1/files", 422, &invalid), Ok(()));
}

#[test]
fn a_member_that_is_missing_or_of_another_type_is_wrong() {
    let mut body = usage();
    let (name, _) = body.as_object().unwrap().iter().next().map(|(name, value)| (name.clone(), value.clone())).unwrap();
    body[&name] = json!({ "no": "number" });
    let text = wrong(json_held(&Method::GET, "/v1/usage", 200, &body));
    assert!(text.contains("GET /v1/usage, 200: ") && text.contains(&format!("`/{name}`")), "{text}");
    body.as_object_mut().unwrap().remove(&name);
    let text = wrong(json_held(&Method::GET, "/v1/usage", 200, &body));
    assert!(text.contains("is a required property") && text.contains(&name), "{text}");
}

#[test]
fn an_error_without_a_code_or_with_one_of_elsewhere_is_wrong() {
    let (no_code, elsewhere) = (json!({ "detail": "x" }), json!({ "detail": "x", "code": "webhook_not_found" }));
    for body in [no_code, elsewhere] {
        let text = wrong(json_held(&Method::GET, &format!("{FILE}/info"), 404, &body));
        assert!(text.contains("GET /v1/files/{file_id}/info, 404: "), "{text}");
    }
}

#[test]
fn a_status_or_a_type_that_nobody_told_of_is_wrong() {
    let text = wrong(json_held(&Method::GET, "/v1/usage", 201, &usage()));
    assert!(text.contains("GET /v1/usage, 201: no such status"), "{text}");
    let text = wrong(held(&Method::GET, "/v1/usage", 200, ("text/html", b"<p>")));
    assert!(text.contains("no such type: text/html"), "{text}");
    assert!(wrong(held(&Method::GET, "/v1/usage", 200, ("", b"{}"))).contains("no type"));
    assert!(wrong(held(&Method::GET, "/v1/usage", 200, ("application/json", b"{"))).contains("no JSON"));
    assert!(wrong(held(&Method::DELETE, "/v1/uploads/x", 204, ("text/plain", b"x"))).contains("a body"));
}

#[test]
fn any_type_is_right_where_any_is_told_of() {
    let path = format!("/v1/files/stream{}?token=t", FILE.strip_prefix("/v1/files").unwrap());
    for kind in ["video/mp4", "application/json", "text/plain; charset=utf-8"] {
        assert_eq!(held(&Method::GET, &path, 200, (kind, b"bytes")), Ok(()), "{kind}");
    }
}

#[test]
fn what_belongs_to_no_operation_is_refused_with_an_error() {
    let (unknown, method) =
        (json!({ "detail": "Not Found", "code": "not_found" }), json!({ "detail": "x", "code": "method_not_allowed" }));
    assert_eq!(json_held(&Method::GET, "/v1/nothing", 404, &unknown), Ok(()));
    assert_eq!(json_held(&Method::PUT, "/v1/files", 405, &method), Ok(()));
    assert!(wrong(json_held(&Method::PUT, "/v1/files", 200, &method)).contains("so 405 was due"));
    assert!(wrong(json_held(&Method::GET, "/v1/nothing", 200, &unknown)).contains("so 404 was due"));
    assert!(json_held(&Method::GET, "/v1/nothing", 404, &json!("no")).is_err());
    assert_eq!(held(&Method::GET, "/assets/main.js", 200, ("text/javascript", b"1")), Ok(()));
}

#[test]
fn a_head_has_no_body_but_a_type() {
    assert_eq!(held(&Method::HEAD, "/v1/usage", 200, ("application/json", b"")), Ok(()));
    assert!(wrong(held(&Method::HEAD, "/v1/usage", 200, ("text/html", b""))).contains("no such type"));
}

#[test]
fn an_event_is_held_by_its_kind() {
    let file = FILE.rsplit('/').next().unwrap();
    let event = |kind: &str, data: Value| json!({ "id": "17", "type": kind, "file_id": file, "created_at": "2026-11-30T12:00:00Z", "data": data });
    let ready = event("file.ready", json!({ "state": "ready", "rendition": null }));
    assert_eq!(Contract::own().hold_event("file.ready", &ready), Ok(()));
    let mut live = event("job.queued", json!({ "position": 3 }));
    live.as_object_mut().unwrap().remove("id");
    assert_eq!(Contract::own().hold_event("job.queued", &live), Ok(()));
    let of = |kind: &str, event: &Value| Contract::own().hold_event(kind, event).unwrap_err();
    assert!(of("file.failed", &ready).contains("its type is \"file.ready\""));
    assert!(of("file.ready", &event("file.ready", json!({ "state": "ready" }))).contains("the event file.ready"));
    assert!(
        of("file.ready", &event("file.ready", json!({ "state": "gone", "rendition": null }))).contains("file.ready")
    );
    assert!(of("file.lost", &event("file.lost", json!({ "state": "ready" }))).contains("file.lost"));
    let reset = json!({ "type": "reset", "data": { "first": "5", "last": "9" } });
    assert_eq!(Contract::own().hold_event("reset", &reset), Ok(()));
    assert!(of("reset", &json!({ "type": "reset", "data": {} })).contains("reset"));
}

/// Examples are what people copy.
#[test]
fn every_example_of_an_answer_is_as_its_schema_has_it() {
    let mut looked_at = 0;
    let document = reelgate_gateway::openapi::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                for (name, content) in response["content"].as_object().into_iter().flatten() {
                    let at = pointer(&["paths", path, method, "responses", status, "content", name, "schema"]);
                    for example in examples(content).filter(|_| is_json(name) && !content["schema"].is_null()) {
                        let mistakes = Contract::own().mistakes(&at, example);
                        assert!(mistakes.is_empty(), "{method} {path} {status}: {mistakes:?}: {example}");
                        looked_at += 1;
                    }
                }
            }
        }
    }
    assert!(looked_at > 100, "{looked_at}");
}

fn examples(content: &Value) -> impl Iterator<Item = &Value> {
    let several = content["examples"].as_object().into_iter().flatten().map(|(_, told)| &told["value"]);
    several.chain(content.get("example"))
}
