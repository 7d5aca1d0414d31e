//! HTTP/2 without TLS: what works, and what is not put up with.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use super::{
    PATIENCE,
    frames::{self, CONTINUATION, END_HEADERS, ENHANCE_YOUR_CALM, HEADERS, PREFACE, RST_STREAM, frame},
    head, stream_path,
};
use crate::bench::Bench;

pub(super) type Client = SendRequest<Empty<Bytes>>;

/// A client on `io`, and its connection, which ends when the server says so.
pub(super) async fn client<S>(io: S) -> (Client, JoinHandle<hyper::Result<()>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    (client, tokio::spawn(connection))
}

pub(super) async fn get(client: &mut Client, path: &str, headers: &[(&str, &str)]) -> http::Response<Incoming> {
    let mut request = Request::get(format!("http://a{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.ready().await.unwrap();
    timeout(PATIENCE, client.send_request(request.body(Empty::new()).unwrap())).await.expect("an answer").unwrap()
}

async fn connect(bench: &Bench) -> (Client, JoinHandle<hyper::Result<()>>) {
    client(TcpStream::connect(bench.address()).await.unwrap()).await
}

async fn bytes(response: http::Response<Incoming>) -> Bytes {
    timeout(PATIENCE, response.into_body().collect()).await.expect("the whole body").unwrap().to_bytes()
}

#[tokio::test]
async fn streams_of_one_connection_are_served_side_by_side() {
    let bench = Bench::start().await;
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let path = stream_path(&bench, &content).await;
    let (mut client, _connection) = connect(&bench).await;
    // All are open before the first is read.
    let mut answers = Vec::new();
    for first in [0usize, 1_000_000, 2_000_000] {
        let range = format!("bytes={first}-{}", first + 900_000);
        let answer = get(&mut client, &path, &[("range", &range)]).await;
        assert_eq!((answer.status(), answer.version()), (StatusCode::PARTIAL_CONTENT, http::Version::HTTP_2));
        answers.push((first, answer));
    }
    for (first, answer) in answers.into_iter().rev() {
        assert!(bytes(answer).await == content[first..=first + 900_000]);
    }
    let several = get(&mut client, &path, &[("range", "bytes=0-1,5000-5001")]).await;
    assert!(several.headers()["content-type"].to_str().unwrap().starts_with("multipart/byteranges"));
    let promised: usize = several.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(bytes(several).await.len(), promised);
}

#[tokio::test]
async fn a_rapid_reset_ends_the_connection_and_no_other() {
    let bench = Bench::start().await;
    let (mut other, _connection) = connect(&bench).await;
    let mut stream = frames::open(bench.address()).await;
    let mut attack = Vec::new();
    for id in (1..2_001).step_by(2) {
        attack.extend(frames::get(id));
        attack.extend(frame(RST_STREAM, 0, id, &8u32.to_be_bytes()));
    }
    // The server may close before it has taken everything.
    let _ = stream.write_all(&attack).await;
    assert_eq!(frames::end(&mut stream).await, Some(ENHANCE_YOUR_CALM));
    assert_eq!(get(&mut other, "/x", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_flood_of_continuations_ends_the_connection() {
    let bench = Bench::start().await;
    let mut stream = frames::open(bench.address()).await;
    stream.write_all(&frame(HEADERS, 0, 1, b"\x82\x86\x04\x02/x\x01\x01a")).await.unwrap();
    // Literal headers `a: aaa…`, never ended.
    let header = [&b"\x00\x01a\x7f\x81\x1f"[..], &[b'a'; 4_096]].concat();
    let more = frame(CONTINUATION, 0, 1, &header);
    let mut sent = 0;
    while sent < 100_000 && timeout(PATIENCE, stream.write_all(&more)).await.expect("taken or refused").is_ok() {
        sent += 1;
    }
    assert!(sent < 100_000, "400 MB of headers were taken");
}

#[tokio::test]
async fn a_long_list_of_headers_is_431() {
    let bench = Bench::start().await;
    let (mut client, _connection) = connect(&bench).await;
    let fits = "x".repeat(20 << 10);
    assert_eq!(get(&mut client, "/x", &[("x-a", &fits)]).await.status(), StatusCode::NOT_FOUND);
    let more = "x".repeat(8 << 10);
    let headers = [("x-a", more.as_str()), ("x-b", &more), ("x-c", &more), ("x-d", &more), ("x-e", &more)];
    assert_eq!(get(&mut client, "/x", &headers).await.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn nonsense_after_the_preface_ends_the_connection() {
    let bench = Bench::start().await;
    for nonsense in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &[0xff; 64]] {
        let mut stream = TcpStream::connect(bench.address()).await.unwrap();
        stream.write_all(&[PREFACE, nonsense].concat()).await.unwrap();
        frames::end(&mut stream).await;
    }
    let (mut client, _connection) = connect(&bench).await;
    assert_eq!(get(&mut client, "/x", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_connection_without_streams_is_told_to_go() {
    let bench = Bench::start_with(|config| {
        config.http.idle_timeout_ms = 200;
        config.http.header_timeout_ms = 1_000;
    })
    .await;
    let (mut client, connection) = connect(&bench).await;
    assert_eq!(get(&mut client, "/x", &[]).await.status(), StatusCode::NOT_FOUND);
    timeout(PATIENCE, connection).await.expect("the server ends it").unwrap().expect("and says goodbye");
    // One that only pings, or begins a request and never ends it, is no less idle.
    let mut stream = frames::open(bench.address()).await;
    stream.write_all(&frame(HEADERS, !END_HEADERS & 1, 1, b"\x82")).await.unwrap();
    frames::end(&mut stream).await;
}

#[tokio::test]
async fn a_client_that_opens_no_window_is_cut() {
    let bench = Bench::start_with(|config| {
        config.http.send_stall_timeout_ms = 300;
        // The next connection gets in when this one has ended, and this one when that of the upload has.
        config.http.idle_timeout_ms = 300;
        config.http.header_timeout_ms = 1_000;
        config.http.max_connections = 1;
    })
    .await;
    let path = {
        let content = vec![7u8; 24 << 20];
        stream_path(&bench, &content).await
    };
    let (mut greedy, connection) = connect(&bench).await;
    let held = get(&mut greedy, &path, &[]).await;
    let mut next = TcpStream::connect(bench.address()).await.unwrap();
    next.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(head(&mut next).await.starts_with("HTTP/1.1 404"));
    let _ = timeout(PATIENCE, connection).await.expect("it has ended");
    assert!(held.into_body().collect().await.is_err(), "the answer was cut");
}

#[tokio::test]
async fn a_drain_lets_streams_finish() {
    let bench = Bench::start().await;
    let content = vec![7u8; 24 << 20];
    let path = stream_path(&bench, &content).await;
    let (mut client, connection) = connect(&bench).await;
    let one = get(&mut client, &path, &[]).await;
    let other = get(&mut client, &path, &[("range", "bytes=5-9999999")]).await;
    bench.stop.cancel();
    timeout(PATIENCE, async { while TcpStream::connect(bench.address()).await.is_ok() {} }).await.unwrap();
    assert_eq!(bytes(one).await.len(), content.len());
    assert_eq!(bytes(other).await.len(), 9_999_995);
    drop(client);
    timeout(PATIENCE, connection).await.expect("the connection ends").unwrap().unwrap();
    timeout(PATIENCE, bench.gateway.finished()).await.expect("and the gateway");
}

#[tokio::test]
async fn a_preface_in_pieces_is_understood() {
    let bench = Bench::start().await;
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in PREFACE {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    stream.write_all(&frame(frames::SETTINGS, 0, 0, b"")).await.unwrap();
    let mut settings = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut settings)).await.expect("an answer").unwrap();
    assert_eq!(settings[3], frames::SETTINGS);
}
