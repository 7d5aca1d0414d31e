//! Clients that are slow, silent or early, and the end of the server.

use std::time::Duration;

use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::bench::Bench;

mod frames;
mod http2;
mod limits;
mod smuggling;
mod tls;

/// Long enough for any machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the last byte is a close as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server closes");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one head.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer").expect("an open connection"));
    }
    String::from_utf8(bytes).unwrap()
}

/// Uploads `content`; a path that streams it.
async fn stream_path(bench: &Bench, content: &[u8]) -> String {
    let file = bench.upload("notes.bin", content).await;
    format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}))
}

#[tokio::test]
async fn clients_that_never_finish_a_head_are_closed() {
    let bench = Bench::start_with(|config| {
        config.http.header_timeout_ms = 200;
        config.http.idle_timeout_ms = 300;
    })
    .await;
    // Nothing at all, the beginning of HTTP/2's preface, half a head, and silence after a first answer.
    for sent in ["", "PRI * HT", "GET / HTTP/1.1\r\nHost: a\r\nX-A: ", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut stream = TcpStream::connect(bench.address()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert_eq!(answer.contains("404"), sent.ends_with("\r\n\r\n"), "{sent:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_early_refusal_is_readable_while_the_client_still_sends() {
    let bench = Bench::start().await;
    let body = vec![b'x'; 20 << 20];
    for request in ["POST /v1/files", "POST /v1/files/token", "PUT /v1/files", "POST /nothing"] {
        let mut stream = TcpStream::connect(bench.address()).await.unwrap();
        let head =
            format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.expect("the server reads on");
        let answer = rest(&mut stream).await;
        let status = ["HTTP/1.1 401", "HTTP/1.1 404", "HTTP/1.1 405"].iter().any(|status| answer.starts_with(status));
        assert!(status, "{request}: {answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_refused_without_one() {
    let bench = Bench::start().await;
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let request = "POST /v1/files HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn a_drain_lets_a_response_finish_and_takes_no_new_one() {
    let bench = Bench::start().await;
    let content = vec![7u8; 24 << 20];
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", stream_path(&bench, &content).await);
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    bench.stop.cancel();
    // The listener is gone before the response is: nobody else gets in.
    timeout(PATIENCE, async { while TcpStream::connect(bench.address()).await.is_ok() {} }).await.unwrap();
    let ops = bench.gateway.ops_address();
    let ready = bench.ask_at(ops, http::Method::GET, "/readyz", &[], "").await;
    assert_eq!((ready.status, &ready.json()["draining"]), (StatusCode::SERVICE_UNAVAILABLE, &true.into()));
    let mut received = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut received)).await.unwrap().unwrap();
    assert_eq!(received.len(), content.len());
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline() {
    let bench = Bench::start_with(|config| config.http.drain_seconds = 0).await;
    let content = vec![7u8; 24 << 20];
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", stream_path(&bench, &content).await);
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    head(&mut stream).await;
    bench.stop.cancel();
    // The client takes nothing; the gateway ends nevertheless.
    timeout(PATIENCE, bench.gateway.finished()).await.expect("the deadline cuts");
    assert!(rest(&mut stream).await.len() < 24 << 20);
}
