//! Requests whose end two servers could see at different places. Each is refused, or read in the one way that RFC 9112 allows and
//! the connection closed behind it; what was hidden in it is never answered as a request of its own.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::rest;
use crate::bench::Bench;

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection on which nothing more comes is closed soon.
async fn start() -> Bench {
    Bench::start_with(|config| {
        config.http.idle_timeout_ms = 300;
        config.http.header_timeout_ms = 300;
        config.http.body_idle_timeout_ms = 300;
    })
    .await
}

/// Statuses of all answers to what was sent, until the server closes.
async fn statuses(bench: &Bench, request: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    // A refusal may come first.
    let _ = stream.write_all(request).await;
    // Left open: at the end of what the client says hyper would answer no further request, hidden or not.
    let answers = rest(&mut stream).await;
    answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
}

fn post(bench: &Bench, headers: &str, body: &str) -> String {
    format!(
        "POST /v1/files/token HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{headers}\r\n{body}",
        bench.alice()
    )
}

#[tokio::test]
async fn rfc9112_6_1_both_lengths_are_read_by_chunks_and_nothing_after_them() {
    let bench = start().await;
    for headers in [
        "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n",
        "Content-Length: 100\r\nTransfer-Encoding: chunked\r\n",
    ] {
        // By its length the body would hold what is hidden, or a part of it.
        let request = post(&bench, headers, &format!("2\r\n{{}}\r\n0\r\n\r\n{HIDDEN}"));
        assert_eq!(statuses(&bench, request.as_bytes()).await, [200], "{headers}");
    }
}

#[tokio::test]
async fn rfc9112_6_3_lengths_that_cannot_be_read_are_refused() {
    let bench = start().await;
    for headers in [
        "Content-Length: 2\r\nContent-Length: 37\r\n",
        "Content-Length: 2, 37\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: 2 2\r\n",
        "Content-Length: 18446744073709551618\r\n",
        "Content-Length: \r\n",
        "Content-Length : 2\r\n",
        " Content-Length: 2\r\n",
        "Content-Length: 2\r\n Transfer-Encoding: chunked\r\n",
        "Content-Length\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer\rEncoding: chunked\r\n",
        "X: a\rContent-Length: 37\r\n",
        "X: a\0b\r\n",
    ] {
        let request = post(&bench, headers, &format!("{{}}{HIDDEN}"));
        assert_eq!(statuses(&bench, request.as_bytes()).await, [400], "{headers:?}");
    }
}

#[tokio::test]
async fn rfc9112_7_1_chunks_that_cannot_be_read_end_the_connection() {
    let bench = start().await;
    for body in [
        "0x2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2\r\n{}0\r\n\r\n",
        "2;a\n=b\r\n{}\r\n0\r\n\r\n",
        "2;\rGET / HTTP/1.1\r\n{}\r\n0\r\n\r\n",
    ] {
        let request = post(&bench, "Transfer-Encoding: chunked\r\n", &format!("{body}{HIDDEN}"));
        let statuses = statuses(&bench, request.as_bytes()).await;
        // A chunk that is too long for any number of ours is refused, one that is merely long is waited for.
        assert!(matches!(statuses[..], [] | [400 | 408]), "{body:?}: {statuses:?}");
    }
    // Extensions are allowed, and mean nothing; so are few trailers.
    let fine = post(&bench, "Transfer-Encoding: chunked\r\n", "2;a=b;c=\"d\"\r\n{}\r\n0\r\nX: y\r\n\r\n");
    assert_eq!(statuses(&bench, fine.as_bytes()).await, [200]);
    let endless = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(64 << 10));
    let statuses = statuses(&bench, post(&bench, "Transfer-Encoding: chunked\r\n", &endless).as_bytes()).await;
    assert!(matches!(statuses[..], [] | [400]), "{statuses:?}");
}

#[tokio::test]
async fn rfc9112_6_1_chunks_are_not_for_http_1_0() {
    let bench = start().await;
    let request = post(&bench, "Transfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"));
    assert_eq!(statuses(&bench, request.replacen("HTTP/1.1", "HTTP/1.0", 1).as_bytes()).await, [400]);
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_not_the_next_request() {
    let bench = start().await;
    for (method, wanted) in [("GET", 404), ("DELETE", 404), ("POST", 404)] {
        let request =
            format!("{method} /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len());
        assert_eq!(statuses(&bench, request.as_bytes()).await, [wanted], "{method}");
    }
}
