//! Table T of faults.md: every way to forge or bend a stream token, each as GET, HEAD, Range, playlist, manifest, poster and
//! segment. Only a valid one is let in, and what is refused says the same whether the file exists or not.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use reelgate_common::{
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};

use crate::bench::{Answer, Bench, id_of};

/// The addresses of a file that take a token, with method and range.
const ASKED: [(Method, &str, Option<&str>); 7] = [
    (Method::GET, "/v1/files/stream/{id}", None),
    (Method::HEAD, "/v1/files/stream/{id}", None),
    (Method::GET, "/v1/files/stream/{id}", Some("bytes=0-3")),
    (Method::GET, "/v1/files/stream/{id}/master.m3u8", None),
    (Method::GET, "/v1/files/stream/{id}/manifest.mpd", None),
    (Method::GET, "/v1/files/{id}/poster", None),
    (Method::GET, "/v1/files/{id}", None),
];

async fn ask(bench: &Bench, file: FileId, token: &str, asked: &(Method, &str, Option<&str>)) -> Answer {
    let (method, path, range) = asked;
    let path = format!("{}?token={token}", path.replace("{id}", &file.to_string()));
    let headers: Vec<_> = range.map(|range| ("range", range)).into_iter().collect();
    bench.ask(method.clone(), &path, &headers, "").await
}

/// What is said to this token everywhere, of a file that is there and of one that is not.
async fn said(bench: &Bench, file: FileId, token: &str) -> BTreeSet<(u16, String)> {
    let mut all = BTreeSet::new();
    for asked in &ASKED {
        let answers = [ask(bench, file, token, asked).await, ask(bench, FileId::new(), token, asked).await];
        assert_eq!(answers[0].body, answers[1].body, "{asked:?} with {token} tells whether the file exists");
        for answer in answers {
            let code = if asked.0 == Method::HEAD { String::new() } else { answer.code() };
            all.insert((answer.status.as_u16(), code));
        }
    }
    all
}

fn refused(code: &str) -> BTreeSet<(u16, String)> {
    [(401, String::new()), (401, code.to_owned())].into()
}

fn packed(claims: &serde_json::Value) -> String {
    URL_SAFE_NO_PAD.encode(claims.to_string())
}

#[tokio::test]
async fn a_bent_token_is_refused_everywhere_in_the_same_words() {
    let bench = Bench::start().await;
    let file = id_of(&bench.upload("notes.txt", b"hello").await);
    let valid = bench.token(|_| {});
    assert_eq!(ask(&bench, file, &valid, &ASKED[0]).await.status, StatusCode::OK);
    assert_eq!(ask(&bench, file, &valid, &ASKED[2]).await.status, StatusCode::PARTIAL_CONTENT);

    let parts: Vec<&str> = valid.split('.').collect();
    let [version, kid, claims, mac] = parts[..] else { panic!("a token has four parts: {valid}") };
    let now = Timestamp::now().0;
    let wide = packed(&serde_json::json!({
        "j": "j", "u": "alice", "o": "acme", "s": ["play", "source", "image"], "i": now, "e": now + 300_000,
    }));
    let other = Bench::start().await.token(|_| {});
    let jwt = |header: &str| format!("{}.{wide}.", URL_SAFE_NO_PAD.encode(header));
    let bent = [
        String::new(),
        ".".to_owned(),
        "....".to_owned(),
        format!("{version}.{kid}.{claims}."),
        format!("{version}.{kid}.{claims}"),
        format!("{version}.{kid}.{claims}.{mac}."),
        format!("{version}.{kid}.{claims}.{mac}="),
        format!("{version}.{kid}.{claims}.{mac}A"),
        format!("{version}.{kid}.{claims}.{}", &mac[..mac.len() - 1]),
        format!("{version}.{kid}.{wide}.{mac}"),
        format!("{version}.{kid}..{mac}"),
        format!("v2.{kid}.{claims}.{mac}"),
        format!("{version}..{claims}.{mac}"),
        format!("{version}.../../../dev/null.{claims}.{mac}"),
        format!("{version}.{}.{claims}.{mac}", kid.to_uppercase() + "x"),
        format!("%20{valid}"),
        format!("{valid}%20"),
        format!("{valid}%00"),
        format!("{valid}&token={valid}"),
        format!("{valid}&token=x"),
        "x".repeat(10 << 10),
        format!("{version}.{kid}.{}.{mac}", "A".repeat(10 << 10)),
        jwt("{\"alg\":\"none\"}"),
        jwt("{\"alg\":\"None\"}"),
        jwt("{\"alg\":\"nOnE\",\"kid\":\"../../dev/null\"}"),
        bench.alice(),
        // Signed by a key that we have never seen, under its own name.
        other,
        // From the future, beyond what clocks differ by.
        bench.token(|claims| claims.issued_at = Timestamp::now().plus(Duration::from_secs(86_400))),
    ];
    for token in bent {
        assert_eq!(said(&bench, file, &token).await, refused("token_invalid"), "{token}");
    }
    let old = bench.token(|claims| claims.expires_at = Timestamp::now().minus(Duration::from_secs(1)));
    assert_eq!(said(&bench, file, &old).await, refused("token_expired"));
}

#[tokio::test]
async fn a_bit_flipped_in_any_byte_is_refused() {
    let bench = Bench::start().await;
    let file = id_of(&bench.upload("notes.txt", b"hello").await);
    let valid = bench.token(|_| {});
    for at in 0..valid.len() {
        // The lowest bit: what results is nearly always still a letter of the alphabet.
        let mut bytes = valid.clone().into_bytes();
        bytes[at] ^= 1;
        let token = String::from_utf8(bytes).unwrap();
        let query: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        for (asked, kind) in ASKED.iter().zip(0..4) {
            let answer = ask(&bench, file, &query, asked).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "byte {at}, way {kind}: {token}");
        }
    }
}

#[tokio::test]
async fn a_token_is_for_its_own_file_and_organisation_whatever_the_path_looks_like() {
    let bench = Bench::start().await;
    let file = id_of(&bench.upload("notes.txt", b"hello").await);
    let narrowed = bench.token(|claims| claims.files = Some(vec![FileId::new()]));
    let foreign = bench.token(|claims| claims.org = OrgId::new("globex"));
    let not_there: BTreeSet<_> = [(404, String::new()), (404, "file_not_found".to_owned())].into();
    assert_eq!(said(&bench, file, &narrowed).await, not_there);
    assert_eq!(said(&bench, file, &foreign).await, not_there);

    let valid = bench.token(|_| {});
    let upper = file.to_string().to_uppercase();
    for path in [
        format!("/v1/files/stream/../stream/{file}"),
        format!("/v1/files//stream/{file}"),
        format!("/v1/files/stream/{file}/"),
        format!("/v1/files/stream/{file}%2f"),
        format!("/v1/files/stream/%2e%2e/{file}"),
        format!("/v1/files/STREAM/{file}"),
        format!("/V1/files/stream/{file}"),
        format!("/v1/files/stream/{file}/../../{file}"),
        format!("/v1/files/stream/{file}%00"),
        format!("/v1/files/stream/{file}.mp4"),
    ] {
        let status = bench.get(&format!("{path}?token={valid}"), &[]).await.status;
        assert!(matches!(status.as_u16(), 404 | 422), "{path}: {status}");
    }
    // An id is a number, and may be written in capitals.
    assert_eq!(bench.get(&format!("/v1/files/stream/{upper}?token={valid}"), &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn two_credentials_must_be_of_one_caller() {
    let bench = Bench::start().await;
    let file = id_of(&bench.upload("notes.txt", b"hello").await);
    let path = format!("/v1/files/stream/{file}?token={}", bench.token(|_| {}));
    let with = async |jwt: String| bench.get(&path, &[("authorization", &format!("Bearer {jwt}"))]).await;
    assert_eq!(with(bench.alice()).await.status, StatusCode::OK);
    assert_eq!(with(bench.jwt("bob", "acme", &[])).await.code(), "token_conflict");
    assert_eq!(with(bench.jwt("alice", "globex", &["admin"])).await.code(), "token_conflict");
    assert_eq!(with("nonsense".to_owned()).await.code(), "token_invalid");
    let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    assert_eq!(bench.get(&path, &twice).await.code(), "token_invalid");
}
