//! Ranges, conditions, representations and permissions of the streams.

use std::time::Duration;

use http::{Method, StatusCode};
use reelgate_common::{
    ids::{FileId, OrgId},
    tokens::Scope,
};
use serde_json::json;

use crate::bench::{Bench, id_of};

fn content() -> Vec<u8> {
    (0..300_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

#[tokio::test]
async fn a_stream_honours_single_ranges() {
    let bench = Bench::start().await;
    let content = content();
    let file = bench.upload("notes.txt", &content).await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));

    let whole = bench.get(&path, &[]).await;
    assert_eq!((whole.status, &whole.body[..]), (StatusCode::OK, &content[..]));
    assert_eq!(whole.header("content-length"), "300000");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("cache-control"), "private");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert_eq!(whole.header("referrer-policy"), "no-referrer");
    assert!(whole.header("content-security-policy").contains("sandbox"));
    assert!(whole.header("content-disposition").starts_with("attachment"));

    for (range, expected) in
        [("0-1", 0..2), ("299999-", 299_999..300_000), ("-5", 299_995..300_000), ("70000-270000", 70_000..270_001)]
    {
        let part = bench.get(&path, &[("range", &format!("bytes={range}"))]).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert!(part.headers.values().all(|value| !value.is_empty()), "a place is left: {:?}", part.headers);
        assert_eq!(part.header("content-range"), format!("bytes {}-{}/300000", expected.start, expected.end - 1));
        assert_eq!(&part.body[..], &content[expected], "{range}");
    }
    let beyond = bench.get(&path, &[("range", "bytes=300000-")]).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header("content-range"), "bytes */300000");
    assert_eq!(beyond.code(), "range_not_satisfiable");
}

#[tokio::test]
async fn head_says_what_get_says() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    let get = bench.get(&path, &[]).await;
    let head = bench.ask(Method::HEAD, &path, &[], "").await;
    assert_eq!((head.status, head.body.len()), (get.status, 0));
    for (name, value) in &get.headers {
        // Where the bytes came from only a GET finds out.
        if !["x-request-id", "date", "server-timing"].contains(&name.as_str()) {
            assert_eq!(head.headers.get(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn an_answer_says_where_its_first_bytes_came_from() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    let timing = async |method| bench.ask(method, &path, &[], "").await.header("server-timing").to_owned();
    assert_eq!(timing(Method::HEAD).await, "", "nothing was read");
    assert_eq!(timing(Method::GET).await, "cache;desc=miss");
    assert_eq!(timing(Method::GET).await, "cache;desc=hit");
}

#[tokio::test]
async fn conditions_are_evaluated() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    let first = bench.get(&path, &[]).await;
    let (tag, modified) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
    assert!(tag.starts_with('"') && tag.ends_with('"'));

    let same = bench.get(&path, &[("if-none-match", &tag)]).await;
    assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(same.header("etag"), tag);
    assert_eq!(bench.get(&path, &[("if-modified-since", &modified)]).await.status, StatusCode::NOT_MODIFIED);
    let other = bench.get(&path, &[("if-match", "\"other\"")]).await;
    assert_eq!((other.status, other.code()), (StatusCode::PRECONDITION_FAILED, "precondition_failed".to_owned()));
    let part = bench.get(&path, &[("if-range", &tag), ("range", "bytes=1-2")]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"el"[..]));
    let whole = bench.get(&path, &[("if-range", "\"other\""), ("range", "bytes=1-2")]).await;
    assert_eq!((whole.status, &whole.body[..]), (StatusCode::OK, &b"hello"[..]));
}

#[tokio::test]
async fn a_video_plays_on_what_its_lease_has_shown_first() {
    let bench = Bench::start().await;
    let file = bench.upload("film.mp4", b"0123456789").await;
    let id = file["id"].as_str().unwrap();
    let stream = |token: &str| format!("/v1/files/stream/{id}?token={token}");
    let early = bench.token(|_| {});
    let waiting = bench.get(&stream(&early), &[]).await;
    assert_eq!((waiting.status, waiting.code()), (StatusCode::CONFLICT, "not_ready".to_owned()));
    assert_eq!(waiting.json()["state"], "staged");
    assert!(!waiting.header("retry-after").is_empty());
    let source = bench.get(&format!("{}&rendition=source", stream(&early)), &[]).await;
    assert_eq!((source.status, &source.body[..]), (StatusCode::OK, &b"0123456789"[..]));

    let fence = bench.claim(&file).await;
    bench.publish(&fence, "480p", 480, 4).await;
    assert_eq!(bench.get(&stream(&early), &[]).await.body, "0123");
    bench.publish(&fence, "720p", 720, 7).await;
    let fresh = bench.token(|_| {});
    let best = format!("{}&rendition=720p", stream(&early));
    // The gateway may know a row for up to two seconds.
    while bench.get(&best, &[]).await.status != StatusCode::OK {}
    assert_eq!(bench.get(&stream(&early), &[]).await.body, "0123");
    let head = bench.ask(Method::HEAD, &stream(&early), &[], "").await;
    assert_eq!(head.header("etag"), "\"tag-480p\"", "a HEAD says what the lease shows");
    assert_eq!(bench.get(&stream(&fresh), &[]).await.body, "0123456");
    assert_eq!(bench.get(&best, &[]).await.header("etag"), "\"tag-720p\"");
    assert!(
        bench.get(&best, &[]).await.header("content-disposition").starts_with("inline; filename=\"film-720p.mp4\"")
    );
}

#[tokio::test]
async fn a_file_is_found_by_its_location_within_the_organisation() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let location = file["location"].as_str().unwrap();
    let path = format!("/v1/files/stream?location={}&token={}", location.replace('/', "%2F"), bench.token(|_| {}));
    let answer = bench.get(&path, &[]).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"hello"[..]));
    assert!(answer.headers.contains_key("deprecation"));
    let foreign = bench.token(|claims| claims.org = OrgId::new("other"));
    let path = format!("/v1/files/stream?location={location}&token={foreign}");
    assert_eq!(bench.get(&path, &[]).await.code(), "file_not_found");
    let missing = bench.get("/v1/files/stream", &[]).await;
    assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(missing.json()["detail"].as_array().unwrap().len(), 2);

    let bearer = format!("Bearer {}", bench.alice());
    let headers = [("authorization", bearer.as_str()), ("range", "bytes=1-")];
    let body = json!({ "location": location }).to_string();
    let posted = bench.ask(Method::POST, "/v1/files/location", &headers, body).await;
    assert_eq!((posted.status, &posted.body[..]), (StatusCode::PARTIAL_CONTENT, &b"ello"[..]));
    let renamed = format!("{location}x");
    for odd in ["../etc/passwd", "a\0b", "staging/acme/x", "", &renamed] {
        let body = json!({ "location": odd }).to_string();
        let answer = bench.ask(Method::POST, "/v1/files/location", &headers[..1], body).await;
        assert_eq!(answer.code(), "file_not_found", "{odd:?}");
    }
}

#[tokio::test]
async fn what_plays_by_its_location_goes_on_without_the_database() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path =
        format!("/v1/files/stream?location={}&token={}", file["location"].as_str().unwrap(), bench.token(|_| {}));
    assert_eq!(bench.get(&path, &[]).await.status, StatusCode::OK);
    bench.backends.db.close().await;
    assert_eq!(bench.get(&path, &[]).await.body, "hello");
}

#[tokio::test]
async fn tokens_open_what_they_were_made_for() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let id = id_of(&file);
    let stream = |token: String| format!("/v1/files/stream/{id}?token={token}&rendition=source");
    let expired = bench.token(|claims| claims.expires_at = claims.issued_at.minus(Duration::from_secs(1)));
    let narrowed = bench.token(|claims| claims.files = Some(vec![FileId::new()]));
    let play_only = bench.token(|claims| claims.scope = vec![Scope::Play]);
    let foreign = bench.token(|claims| claims.org = OrgId::new("other"));
    for (token, status, code) in [
        (String::new(), StatusCode::UNAUTHORIZED, "token_invalid"),
        ("v1.x.y.z".to_owned(), StatusCode::UNAUTHORIZED, "token_invalid"),
        (expired, StatusCode::UNAUTHORIZED, "token_expired"),
        (narrowed, StatusCode::NOT_FOUND, "file_not_found"),
        (play_only, StatusCode::FORBIDDEN, "scope_missing"),
        (foreign, StatusCode::NOT_FOUND, "file_not_found"),
    ] {
        let answer = bench.get(&stream(token), &[]).await;
        assert_eq!((answer.status, answer.code()), (status, code.to_owned()));
    }
    let good = bench.token(|_| {});
    let bob = format!("Bearer {}", bench.jwt("bob", "acme", &[]));
    let conflict = bench.get(&stream(good.clone()), &[("authorization", &bob)]).await;
    assert_eq!(conflict.code(), "token_conflict");
    let twice = bench.get(&format!("{}&token={good}", stream(good.clone())), &[]).await;
    assert_eq!(twice.code(), "token_invalid");
    let without = bench.get(&format!("/v1/files/stream/{id}"), &[]).await;
    assert_eq!(without.json()["detail"][0]["loc"], json!(["query", "token"]));
    let bearer_instead = bench.get_signed_in(&format!("/v1/files/stream/{id}")).await;
    assert_eq!(bearer_instead.status, StatusCode::OK);
}

#[tokio::test]
async fn a_file_by_id_is_its_owners_and_the_admins() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    for (user, org, roles, status) in [
        ("alice", "acme", &[][..], StatusCode::OK),
        ("bob", "acme", &["admin"][..], StatusCode::OK),
        ("bob", "acme", &[][..], StatusCode::FORBIDDEN),
        ("alice", "other", &["admin"][..], StatusCode::NOT_FOUND),
    ] {
        let bearer = format!("Bearer {}", bench.jwt(user, org, roles));
        let answer = bench.get(&path, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, status, "{user} of {org}");
    }
    let anonymous = bench.get(&path, &[]).await;
    assert_eq!((anonymous.status, anonymous.code()), (StatusCode::UNAUTHORIZED, "not_signed_in".to_owned()));
    assert!(anonymous.header("www-authenticate").starts_with("Bearer"));
}
