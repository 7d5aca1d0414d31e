//! Bodies and headers that front ends rely on, besides the streams.

use http::{Method, StatusCode};
use serde_json::json;

use crate::bench::Bench;

const ID: &str = "018f4b1e-0000-7000-8000-000000000001";

#[tokio::test]
async fn errors_read_as_fastapi_writes_them() {
    let bench = Bench::start().await;
    let unknown = bench.get("/v1/nothing", &[]).await;
    assert_eq!(
        (unknown.status, unknown.json()),
        (StatusCode::NOT_FOUND, json!({"detail": "Not Found", "code": "not_found"}))
    );
    assert!(!unknown.header("x-request-id").is_empty());
    let wrong = bench.ask(Method::PUT, "/v1/files/token", &[], "").await;
    assert_eq!((wrong.status, wrong.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST, OPTIONS"));
    let malformed = bench.get("/v1/files/seven", &[]).await;
    assert_eq!(malformed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(malformed.json()["detail"][0]["loc"], json!(["path", "file_id"]));
    let missing = bench.get_signed_in(&format!("/v1/files/{ID}")).await;
    assert_eq!(missing.json(), json!({"detail": "File not found", "code": "file_not_found"}));
}

#[tokio::test]
async fn pages_of_other_origins_may_ask() {
    let bench = Bench::start().await;
    let headers = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "range, authorization"),
    ];
    let preflight = bench.ask(Method::OPTIONS, &format!("/v1/files/stream/{ID}"), &headers, "").await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    assert!(preflight.header("access-control-allow-headers").contains("Range"));
    assert!(preflight.header("access-control-allow-headers").contains("Authorization"));
    assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
    let refused = bench.get(&format!("/v1/files/{ID}"), &headers[..1]).await;
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    assert!(refused.header("access-control-expose-headers").contains("Content-Range"));

    let listed = Bench::start_with(|config| config.http.cors_origins = vec!["https://a.example".to_owned()]).await;
    assert_eq!(listed.get("/", &headers[..1]).await.header("access-control-allow-origin"), "https://a.example");
    let other = listed.get("/", &[("origin", "https://b.example")]).await;
    assert_eq!(other.header("access-control-allow-origin"), "");
    assert!(other.headers.get_all("vary").iter().any(|name| name == "Origin"), "{:?}", other.headers);
}

#[tokio::test]
async fn a_stream_token_is_minted_and_works() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let bearer = format!("Bearer {}", bench.alice());
    let headers = [("authorization", bearer.as_str())];
    let minted = bench.ask(Method::POST, "/v1/files/token", &headers, "").await;
    assert_eq!(minted.status, StatusCode::OK);
    assert_eq!(minted.header("cache-control"), "no-store");
    let json = minted.json();
    assert_eq!((&json["token_type"], &json["expires_in"]), (&json!("bearer"), &json!(300)));
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), json["token"].as_str().unwrap());
    assert_eq!(bench.get(&path, &[]).await.body, "hello");
    let wrong = bench.ask(Method::POST, "/v1/files/token", &headers, "{\"file_ids\": [1]}").await;
    assert_eq!(wrong.json()["detail"][0]["loc"], json!(["body", "file_ids", 0]));
    assert_eq!(bench.ask(Method::POST, "/v1/files/token", &[], "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn lists_and_infos_show_the_same_file() {
    let bench = Bench::start().await;
    let mut files = Vec::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        files.push(bench.upload(name, name.as_bytes()).await);
    }
    let first = bench.get_signed_in("/v1/files?limit=2").await.json();
    assert_eq!(first["files"], json!([files[2], files[1]]));
    let next = format!("/v1/files?limit=2&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(bench.get_signed_in(&next).await.json(), json!({"files": [files[0]], "next": null}));
    assert_eq!(bench.get_signed_in("/v1/files?limit=3").await.json()["next"], json!(null));
    assert_eq!(bench.get_signed_in("/v1/files?kind=video").await.json()["files"], json!([]));
    assert_eq!(bench.get_signed_in("/v1/files?limit=0").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let info = format!("/v1/files/{}/info", files[0]["id"].as_str().unwrap());
    assert_eq!(bench.get_signed_in(&info).await.json(), files[0]);
    let keys: Vec<_> = files[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 20, "a File has exactly the fields of the contract: {keys:?}");
    let poster = format!("/v1/files/{}/poster", files[0]["id"].as_str().unwrap());
    assert_eq!(bench.get_signed_in(&poster).await.code(), "rendition_not_found");
}

#[tokio::test]
async fn operators_see_health_on_their_own_port_only() {
    let bench = Bench::start().await;
    let ops = bench.gateway.ops_address();
    for path in ["/healthz", "/readyz", "/metrics", "/scaling"] {
        assert_eq!(bench.ask_at(ops, Method::GET, path, &[], "").await.status, StatusCode::OK, "{path}");
        assert_eq!(bench.get(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let ready = bench.ask_at(ops, Method::GET, "/readyz", &[], "").await.json();
    for name in ["database", "storage", "queue"] {
        assert_eq!(ready["checks"][name]["ok"], json!(true), "{name}");
    }
}

#[tokio::test]
async fn the_page_is_there_and_may_load_nothing_foreign() {
    let bench = Bench::start().await;
    let page = bench.get("/", &[]).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
}
