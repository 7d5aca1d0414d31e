//! Who goes on after a token has expired, who does not, and how playback is taken back.

use std::time::Duration;

use http::{Method, StatusCode};
use reelgate_common::timestamp::Timestamp;
use reelgate_gateway::GatewayConfig;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::bench::{Answer, Bench};

const HOME: &str = "192.0.2.1";
const NEIGHBOUR: &str = "192.0.2.77";
const ELSEWHERE: &str = "198.51.100.1";

fn behind_a_proxy(config: &mut GatewayConfig) {
    config.http.trusted_proxies = vec!["127.0.0.1".to_owned()];
}

/// A token that lives until it is told to die, which is soon.
struct Short {
    token: String,
    expires_at: Timestamp,
}

impl Short {
    fn new(bench: &Bench) -> Self {
        let mut expires_at = Timestamp(0);
        let token = bench.token(|claims| {
            claims.expires_at = claims.issued_at.plus(Duration::from_secs(2));
            expires_at = claims.expires_at;
        });
        Self { token, expires_at }
    }

    async fn expired(&self) {
        let left = self.expires_at.since(Timestamp::now());
        tokio::time::sleep(left + Duration::from_millis(1)).await;
        assert!(Timestamp::now() >= self.expires_at);
    }
}

async fn ask(bench: &Bench, method: Method, path: &str, player: &str, from: &str) -> Answer {
    bench.ask(method, path, &[("user-agent", player), ("x-forwarded-for", from)], "").await
}

async fn get(bench: &Bench, path: &str, player: &str, from: &str) -> Answer {
    ask(bench, Method::GET, path, player, from).await
}

fn said(answer: &Answer) -> (u16, String) {
    let code = if answer.status.is_success() { String::new() } else { answer.code() };
    (answer.status.as_u16(), code)
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn ok() -> (u16, String) {
    (200, String::new())
}

#[tokio::test]
async fn after_expiry_only_the_client_goes_on() {
    let bench = Bench::start_with(behind_a_proxy).await;
    let file = bench.upload("notes.txt", b"hello").await;
    let other = bench.upload("other.txt", b"other").await;
    let short = Short::new(&bench);
    let path = |file: &Value| format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
    let by_location = format!("/v1/files/stream?location={}&token={}", file["location"].as_str().unwrap(), short.token);
    let by_id = format!("/v1/files/{}?token={}", file["id"].as_str().unwrap(), short.token);
    assert_eq!(said(&get(&bench, &path(&file), "player", HOME).await), ok());
    // Only a look: no lease.
    assert_eq!(ask(&bench, Method::HEAD, &path(&file), "looker", HOME).await.status, StatusCode::OK);
    short.expired().await;

    let expired = refused(401, "token_expired");
    for (path, player, from, expected) in [
        (path(&file), "player", HOME, ok()),
        (path(&file), "player", NEIGHBOUR, ok()),
        (by_location.clone(), "player", HOME, ok()),
        (by_id.clone(), "player", HOME, ok()),
        (path(&file), "another", HOME, expired.clone()),
        (path(&file), "player", ELSEWHERE, expired.clone()),
        (path(&file), "looker", HOME, expired.clone()),
        (path(&other), "player", HOME, expired.clone()),
        (by_location.replace("location=", "location=x"), "player", HOME, expired.clone()),
        (by_id.replace(file["id"].as_str().unwrap(), other["id"].as_str().unwrap()), "player", HOME, expired),
        (path(&file).replace("token=v1", "token=v2"), "player", HOME, refused(401, "token_invalid")),
    ] {
        assert_eq!(said(&get(&bench, &path, player, from).await), expected, "{player} from {from} at {path}");
    }
    let head = ask(&bench, Method::HEAD, &path(&file), "player", HOME).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, "5"));
}

#[tokio::test]
async fn a_silent_client_may_move_so_often_and_no_more() {
    let bench = Bench::start_with(|config| {
        behind_a_proxy(config);
        config.leases.rebind_silence_ms = 0;
    })
    .await;
    let file = bench.upload("notes.txt", b"hello").await;
    let short = Short::new(&bench);
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
    assert_eq!(said(&get(&bench, &path, "player", HOME).await), ok());
    short.expired().await;
    for from in [ELSEWHERE, HOME, ELSEWHERE] {
        assert_eq!(said(&get(&bench, &path, "player", from).await), ok(), "{from}");
        assert_eq!(said(&get(&bench, &path, "player", from).await), ok(), "{from} again");
    }
    assert_eq!(said(&get(&bench, &path, "player", HOME).await), refused(401, "token_expired"));
    assert_eq!(said(&get(&bench, &path, "player", ELSEWHERE).await), ok(), "whom it is bound to stays");
}

#[tokio::test]
async fn strict_mode_lets_nobody_move() {
    let bench = Bench::start_with(|config| {
        behind_a_proxy(config);
        config.leases.rebind_silence_ms = 0;
        config.leases.strict = true;
    })
    .await;
    let file = bench.upload("notes.txt", b"hello").await;
    let short = Short::new(&bench);
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
    assert_eq!(said(&get(&bench, &path, "player", HOME).await), ok());
    short.expired().await;
    assert_eq!(said(&get(&bench, &path, "player", ELSEWHERE).await), refused(401, "token_expired"));
    assert_eq!(said(&get(&bench, &path, "player", HOME).await), ok());
}

#[tokio::test]
async fn a_lease_ends_when_it_is_idle_and_at_its_cap() {
    for change in [
        (|config: &mut GatewayConfig| {
            config.leases.idle_ms = 500;
            config.leases.touch_ms = 250;
        }) as fn(&mut GatewayConfig),
        |config| config.leases.hard_cap_ms = 500,
    ] {
        let bench = Bench::start_with(change).await;
        let file = bench.upload("notes.txt", b"hello").await;
        let short = Short::new(&bench);
        let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
        assert_eq!(said(&bench.get(&path, &[]).await), ok());
        short.expired().await;
        assert_eq!(said(&bench.get(&path, &[]).await), refused(401, "lease_ended"));
    }
}

#[tokio::test]
async fn over_the_cap_a_living_token_is_served_and_opens_no_lease() {
    let bench = Bench::start_with(|config| config.leases.per_token = 2).await;
    let file = bench.upload("notes.txt", b"hello").await;
    let short = Short::new(&bench);
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
    let players = ["one", "two", "three"];
    for player in players {
        assert_eq!(said(&get(&bench, &path, player, HOME).await), ok(), "{player}");
    }
    short.expired().await;
    let mut after = Vec::new();
    for player in players {
        after.push(said(&get(&bench, &path, player, HOME).await));
    }
    assert_eq!(after, [ok(), ok(), refused(401, "token_expired")]);
}

#[tokio::test]
async fn images_open_no_lease() {
    let bench = Bench::start().await;
    let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[0; 64]].concat();
    let file = bench.upload("still.png", &png).await;
    assert_eq!(file["kind"], "image");
    let short = Short::new(&bench);
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
    assert_eq!(said(&bench.get(&path, &[]).await), ok());
    short.expired().await;
    assert_eq!(said(&bench.get(&path, &[]).await), refused(401, "token_expired"));
}

/// A response of which nothing is read.
async fn stalled(bench: &Bench, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: player\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lease_has_so_many_connections_and_gets_them_back() {
    let bench = Bench::start_with(|config| config.leases.connections = 2).await;
    let file = bench.upload("big.bin", &vec![7; 32 << 20]).await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    let first = stalled(&bench, &path).await;
    let second = stalled(&bench, &path).await;
    let player = [("user-agent", "player"), ("range", "bytes=0-1")];
    let third = bench.get(&path, &player).await;
    assert_eq!(said(&third), refused(429, "too_many_connections"));
    assert!(!third.header("retry-after").is_empty());
    let other = bench.get(&path, &[("user-agent", "other"), ("range", "bytes=0-1")]).await;
    assert_eq!(other.status, StatusCode::PARTIAL_CONTENT, "another client has its own");
    drop(first);
    while bench.get(&path, &player).await.status != StatusCode::PARTIAL_CONTENT {
        tokio::task::yield_now().await;
    }
    drop(second);
}

async fn revoke(bench: &Bench, jwt: &str, body: Value) -> Answer {
    let bearer = format!("Bearer {jwt}");
    bench.ask(Method::POST, "/v1/leases/revoke", &[("authorization", &bearer)], body.to_string()).await
}

#[tokio::test]
async fn only_an_admin_revokes_and_only_within_the_own_organisation() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    assert_eq!(said(&bench.get(&path, &[]).await), ok());
    let all = json!({"all": true});
    assert_eq!(said(&revoke(&bench, &bench.alice(), all.clone()).await), refused(403, "not_admin"));
    let foreign = bench.jwt("erin", "globex", &["admin"]);
    for body in [all.clone(), json!({"user_id": "alice"}), json!({"file_id": file["id"]})] {
        assert_eq!(said(&revoke(&bench, &foreign, body).await), ok(), "it names something of their own, if anything");
    }
    assert_eq!(said(&bench.get(&path, &[]).await), ok());
    let carol = bench.jwt("carol", "acme", &["admin"]);
    assert_eq!(said(&revoke(&bench, &carol, json!({})).await), refused(422, "validation_failed"));
    assert_eq!(said(&revoke(&bench, &carol, all).await), ok());
    assert_eq!(said(&bench.get(&path, &[]).await), refused(401, "lease_ended"));
    let other_client = bench.get(&path, &[("user-agent", "other")]).await;
    assert_eq!(said(&other_client), refused(401, "token_revoked"));
}

#[tokio::test]
async fn who_was_revoked_gets_in_again_with_a_new_token_only() {
    let bench = Bench::start().await;
    let (file, other) = (bench.upload("notes.txt", b"hello").await, bench.upload("other.txt", b"other").await);
    let carol = bench.jwt("carol", "acme", &["admin"]);
    let path = |file: &Value, token: &str| format!("/v1/files/stream/{}?token={token}", file["id"].as_str().unwrap());
    let mint = async || {
        let bearer = format!("Bearer {}", bench.alice());
        let answer = bench.ask(Method::POST, "/v1/files/token", &[("authorization", &bearer)], "").await;
        answer.json()["token"].as_str().unwrap().to_owned()
    };
    for (body, spares_others) in [(json!({"user_id": "alice"}), false), (json!({"file_id": file["id"]}), true)] {
        let old = mint().await;
        assert_eq!(said(&revoke(&bench, &carol, body.clone()).await), ok());
        assert_eq!(said(&bench.get(&path(&file, &old), &[]).await), refused(401, "token_revoked"), "{body}");
        let elsewhere = said(&bench.get(&path(&other, &old), &[]).await);
        assert_eq!(elsewhere == ok(), spares_others, "{body}: {elsewhere:?}");
        let new = mint().await;
        if !spares_others {
            assert_eq!(said(&bench.get(&path(&file, &new), &[]).await), ok(), "{body}");
        }
        assert_eq!(said(&bench.get(&path(&other, &new), &[]).await), ok(), "{body}");
    }
}

#[tokio::test]
async fn an_admin_sees_what_plays_and_ends_one_of_it() {
    let bench = Bench::start_with(behind_a_proxy).await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    for player in ["one", "two"] {
        assert_eq!(said(&get(&bench, &path, player, HOME).await), ok());
    }
    let list = async |jwt: String, query: &str| {
        let bearer = format!("Bearer {jwt}");
        bench.get(&format!("/v1/leases{query}"), &[("authorization", &bearer)]).await
    };
    let carol = || bench.jwt("carol", "acme", &["admin"]);
    let leases = list(carol(), "?user_id=alice").await.json()["leases"].as_array().unwrap().clone();
    assert_eq!(leases.len(), 2);
    assert_eq!((&leases[0]["file_id"], leases[0]["network"].as_str()), (&file["id"], Some("192.0.2.0/24")));
    assert_eq!(said(&revoke(&bench, &carol(), json!({"lease_id": leases[0]["id"]})).await), ok());
    let after = [get(&bench, &path, "one", HOME).await, get(&bench, &path, "two", HOME).await];
    let ended = after.iter().filter(|answer| said(answer) == refused(401, "lease_ended")).count();
    assert_eq!(ended, 1, "the one and not the other");
    assert_eq!(list(carol(), "").await.json()["leases"].as_array().unwrap().len(), 1);

    assert_eq!(list(carol(), "?user_id=bob").await.json()["leases"], json!([]));
    assert_eq!(list(bench.jwt("erin", "globex", &["admin"]), "").await.json()["leases"], json!([]));
    assert_eq!(said(&list(bench.alice(), "").await), refused(403, "not_admin"));
    assert_eq!(said(&list(carol(), "?file_id=x").await), refused(422, "validation_failed"));
    let foreign = bench.jwt("erin", "globex", &["admin"]);
    let theirs = json!({"lease_id": leases[1]["id"]});
    assert_eq!(said(&revoke(&bench, &foreign, theirs).await), refused(404, "lease_not_found"));
}

#[tokio::test]
async fn a_deleted_file_ends_what_plays_it() {
    let bench = Bench::start().await;
    let file = bench.upload("notes.txt", b"hello").await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    assert_eq!(said(&bench.get(&path, &[]).await), ok());
    let bearer = format!("Bearer {}", bench.alice());
    let gone = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!(said(&bench.ask(Method::DELETE, &gone, &[("authorization", &bearer)], "").await), ok());
    let after = bench.get(&path, &[]).await;
    assert_eq!(said(&after), refused(404, "file_not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_cuts_no_response_and_revocation_does() {
    let bench = Bench::start().await;
    let length = 32 << 20;
    let file = bench.upload("big.bin", &vec![7; length]).await;
    let short = Short::new(&bench);
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
    let (mut whole, mut cut) = (stalled(&bench, &path).await, stalled(&bench, &path).await);
    short.expired().await;
    let mut rest = Vec::new();
    let one = tokio::spawn(async move {
        // The head of the next answer never comes: the connection stays open.
        while rest.len() < length && whole.read_buf(&mut rest).await.unwrap() > 0 {}
        rest.len()
    });
    assert!(one.await.unwrap() >= length);

    let carol = bench.jwt("carol", "acme", &["admin"]);
    assert_eq!(said(&revoke(&bench, &carol, json!({"all": true})).await), ok());
    let mut rest = Vec::new();
    while cut.read_buf(&mut rest).await.is_ok_and(|read| read > 0) {}
    assert!(rest.len() < length, "{} bytes came in spite of the revocation", rest.len());
}

#[tokio::test]
async fn a_held_lease_asks_no_database() {
    let bench = Bench::start_with(behind_a_proxy).await;
    let file = bench.upload("notes.txt", b"hello").await;
    let short = Short::new(&bench);
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), short.token);
    assert_eq!(said(&get(&bench, &path, "player", HOME).await), ok());
    bench.backends.db.close().await;
    assert_eq!(said(&get(&bench, &path, "player", HOME).await), ok());
    // A lease that begins now lives in memory.
    assert_eq!(said(&get(&bench, &path, "late", HOME).await), ok());
    short.expired().await;
    for player in ["player", "late"] {
        assert_eq!(said(&get(&bench, &path, player, HOME).await), ok(), "{player}");
    }
    assert_eq!(said(&get(&bench, &path, "another", HOME).await), refused(401, "token_expired"));
    let other = path.replace(file["id"].as_str().unwrap(), &uuid::Uuid::now_v7().to_string());
    assert_eq!(said(&get(&bench, &other, "player", HOME).await), refused(503, "database_unavailable"), "nobody knows");
}
