//! More than a gateway takes: callers who ask too often, uploads beyond their number, work that piles up, a full disk.

use http::{Method, StatusCode};
use reelgate_common::db::Db;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::bench::{Answer, Bench};

fn refused(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code.to_owned()));
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0, "{:?}", answer.headers);
}

#[tokio::test]
async fn a_caller_who_asks_too_often_is_told_when_to_come_back_and_streams_go_on() {
    let bench = Bench::start_with(|config| {
        config.http.requests_per_second = 1;
        config.http.request_burst = 3;
    })
    .await;
    let file = bench.upload("notes.txt", b"hello").await;
    let stream = format!("/v1/files/stream/{}", file["id"].as_str().unwrap());
    // One a second trickles in, so a few more than the burst may pass on a slow machine.
    let mut answers = Vec::new();
    while answers.last().is_none_or(|answer: &Answer| answer.status == StatusCode::OK) && answers.len() < 1_000 {
        answers.push(bench.get_signed_in("/v1/files").await);
    }
    assert!(answers.len() > 2, "the burst is granted");
    refused(answers.last().unwrap(), StatusCode::TOO_MANY_REQUESTS, "too_many_requests");

    let (token, bearer) = (bench.token(|_| {}), format!("Bearer {}", bench.alice()));
    for _ in 0..20 {
        assert_eq!(bench.get(&format!("{stream}?token={token}"), &[]).await.status, StatusCode::OK);
        assert_eq!(bench.get(&stream, &[("authorization", &bearer)]).await.status, StatusCode::OK);
    }
    let bob = format!("Bearer {}", bench.jwt("bob", "acme", &[]));
    assert_eq!(bench.get("/v1/files", &[("authorization", &bob)]).await.status, StatusCode::OK);
}

/// The head of an upload that waits for its place.
async fn begin(bench: &Bench, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nExpect: 100-continue\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n",
        bench.alice()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn uploads_beyond_their_number_are_sent_away_before_their_bodies() {
    let bench = Bench::start_with(|config| config.upload.max_at_once = 1).await;
    let body = b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nhello\r\n--x--\r\n";
    let mut first = begin(&bench, body.len()).await;
    let mut go_on = [0; 25];
    first.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    refused(&bench.upload_as(&bench.alice(), "b", b"").await, StatusCode::SERVICE_UNAVAILABLE, "too_many_uploads");
    let mut answer = String::new();
    begin(&bench, body.len()).await.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "no 100 for what is sent away: {answer}");

    first.write_all(body).await.unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    bench.upload("b", b"there is a place again").await;
}

#[tokio::test]
async fn slow_uploads_of_one_organisation_leave_places_to_the_others() {
    let bench = Bench::start_with(|config| {
        config.upload.max_at_once = 2;
        config.upload.max_at_once_per_org = 1;
    })
    .await;
    let body = b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nhello\r\n--x--\r\n";
    let mut slow = begin(&bench, body.len()).await;
    slow.read_exact(&mut [0; 25]).await.unwrap();
    let of_acme = bench.jwt("bob", "acme", &[]);
    refused(&bench.upload_as(&of_acme, "b", b"").await, StatusCode::TOO_MANY_REQUESTS, "too_many_own_uploads");
    let other = bench.upload_as(&bench.jwt("zoe", "globex", &[]), "b", b"hello").await;
    assert_eq!(other.status, StatusCode::OK);
    drop(slow);
    while bench.upload_as(&of_acme, "b", b"hello").await.status != StatusCode::OK {}
}

#[tokio::test]
async fn no_upload_begins_while_too_much_work_waits() {
    let bench = Bench::start_with(|config| config.upload.max_waiting_jobs = 2).await;
    // Nobody works here. The count is believed for a second, so some more get in.
    let mut stored = 0;
    let refusal = loop {
        let answer = bench.upload_as(&bench.alice(), "film.mp4", b"0123456789").await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        stored += 1;
        assert!(stored < 100_000, "it piles up");
    };
    refused(&refusal, StatusCode::SERVICE_UNAVAILABLE, "queue_full");
    assert!(stored > 2, "{stored}");
    assert_eq!(bench.get_signed_in("/v1/files").await.status, StatusCode::OK, "only uploads are refused");
}

async fn pages(db: &Db, most: u32) {
    use sea_orm::ConnectionTrait;
    db.connection().execute_unprepared(&format!("PRAGMA max_page_count = {most}")).await.unwrap();
}

#[tokio::test]
async fn a_full_database_is_named_and_goes_on_when_there_is_room() {
    // One connection, for the pragma stands for a full disk on that alone.
    let bench = Bench::start_on_one_connection().await;
    bench.upload("before.txt", b"hello").await;
    pages(&bench.backends.db, 1).await;
    let refusal = loop {
        // What is free inside its pages is used up first.
        let answer = bench.upload_as(&bench.alice(), &"long".repeat(50), b"hello").await;
        if answer.status != StatusCode::OK {
            break answer;
        }
    };
    refused(&refusal, StatusCode::INSUFFICIENT_STORAGE, "database_full");
    assert_eq!(bench.get_signed_in("/v1/files").await.status, StatusCode::OK, "what is there can be read");
    pages(&bench.backends.db, 1 << 20).await;
    bench.upload("after.txt", b"hello").await;
    let wrong = bench.ask(Method::PUT, "/v1/files", &[], "").await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
}
