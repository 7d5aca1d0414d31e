//! Heads that are too long or too slow, clients that take nothing, and too many of one address.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{interval, timeout},
};

use super::{PATIENCE, head, rest, stream_path};
use crate::bench::Bench;

async fn ask(bench: &Bench, headers: &str) -> String {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let request = format!("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    // A refusal may come before the last byte was sent.
    let _ = stream.write_all(request.as_bytes()).await;
    head(&mut stream).await
}

fn headers(count: usize) -> String {
    (0..count).map(|n| format!("X-{n}: 1\r\n")).collect()
}

#[tokio::test]
async fn rfc6585_5_too_many_headers_are_431() {
    let bench = Bench::start().await;
    assert!(ask(&bench, &headers(98)).await.starts_with("HTTP/1.1 404"), "100 with Host and Connection");
    assert!(ask(&bench, &headers(99)).await.starts_with("HTTP/1.1 431"), "101");
    let few = Bench::start_with(|config| config.http.max_headers = 10).await;
    assert!(ask(&few, &headers(8)).await.starts_with("HTTP/1.1 404"));
    assert!(ask(&few, &headers(9)).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn rfc6585_5_a_head_above_32_kib_is_431() {
    let bench = Bench::start().await;
    assert!(ask(&bench, &format!("X: {}\r\n", "x".repeat(32_000))).await.starts_with("HTTP/1.1 404"));
    assert!(ask(&bench, &format!("X: {}\r\n", "x".repeat(33_000))).await.starts_with("HTTP/1.1 431"));
    let long_path = format!("/{}", "x".repeat(33_000));
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let _ = stream.write_all(format!("GET {long_path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await;
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"), "{answer}");
}

#[tokio::test]
async fn a_head_that_comes_in_drops_has_no_more_time_for_it() {
    let bench = Bench::start_with(|config| config.http.header_timeout_ms = 300).await;
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nX: ").await.unwrap();
    // Each drop is more than nothing, so only a limit on the whole ends this. Slow enough not to be too long instead.
    let drip = async {
        let (mut read, mut write) = stream.split();
        let mut drops = interval(Duration::from_millis(10));
        loop {
            tokio::select! {
                end = read.read_u8() => return assert!(end.is_err(), "nothing to answer"),
                _ = drops.tick() => if write.write_all(b"x").await.is_err() { return },
            }
        }
    };
    timeout(PATIENCE, drip).await.expect("the server closes");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let bench = Bench::start_with(|config| {
        config.http.send_stall_timeout_ms = 300;
        // The next connection gets in when this one has ended, and this one when that of the upload has.
        config.http.idle_timeout_ms = 300;
        config.http.header_timeout_ms = 1_000;
        config.http.max_connections = 1;
    })
    .await;
    let content = vec![7u8; 24 << 20];
    let path = stream_path(&bench, &content).await;
    let mut greedy = TcpStream::connect(bench.address()).await.unwrap();
    greedy.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
    assert!(head(&mut greedy).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&bench, "").await.starts_with("HTTP/1.1 404"));
    assert!(rest(&mut greedy).await.len() < content.len());
}

/// What a client gets of a film that it takes a little of, again and again, in no less than five seconds, and never pauses for
/// long.
async fn sipped(min_send_rate: u64) -> (usize, usize) {
    let bench = Bench::start_with(|config| {
        config.http.min_send_rate = min_send_rate;
        // The time over which the rate is taken, and how often one looks.
        config.http.send_stall_timeout_ms = 3_000;
        config.http.header_timeout_ms = 200;
    })
    .await;
    let content = vec![7u8; 32 << 20];
    let path = stream_path(&bench, &content).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(bench.address()).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let (mut taken, mut sip, mut sips) = (0, vec![0; 64 << 10], interval(Duration::from_millis(10)));
    let all = async {
        while let Ok(read @ 1..) = stream.read(&mut sip).await {
            taken += read;
            sips.tick().await;
        }
    };
    timeout(PATIENCE, all).await.expect("an end");
    (taken, content.len())
}

#[tokio::test]
async fn a_client_that_takes_less_than_the_least_rate_is_cut() {
    // More than anybody can take.
    let (taken, whole) = sipped(u64::MAX / 10_000).await;
    assert!(taken < whole, "all of {whole} bytes came");
    // It never stalled, so without a rate it gets everything.
    let (taken, whole) = sipped(0).await;
    assert_eq!(taken, whole);
}

#[tokio::test]
async fn a_client_has_so_many_connections_and_a_trusted_proxy_any_number() {
    let bench = Bench::start_with(|config| config.http.max_connections_per_client = 2).await;
    let served = async || {
        let mut stream = TcpStream::connect(bench.address()).await.unwrap();
        let _ = stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut first = [0];
        let read = timeout(PATIENCE, stream.read_exact(&mut first)).await.expect("an answer or an end");
        read.is_ok().then_some(stream)
    };
    let (first, second) = (served().await.unwrap(), served().await.unwrap());
    assert!(served().await.is_none());
    drop(first);
    timeout(PATIENCE, async { while served().await.is_none() {} }).await.expect("a place that is given back");
    drop(second);

    let behind = Bench::start_with(|config| {
        config.http.max_connections_per_client = 2;
        config.http.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(behind.address()).await.unwrap();
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 404"));
        held.push(stream);
    }
}
