//! The API over TLS: both protocols, new certificates, and clients that do not keep their word.

use std::{path::Path, sync::Arc};

use http_body_util::BodyExt;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs},
};

use super::{PATIENCE, frames::PREFACE, http2, rest};
use crate::bench::Bench;

/// Writes a new pair as the names that `start` gives the gateway; the certificate signs itself, so a client can trust it.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

async fn start(folder: &Path, reload_ms: u64) -> Bench {
    Bench::start_with(|config| {
        config.http.tls_cert = Some(folder.join("tls.crt"));
        config.http.tls_key = Some(folder.join("tls.key"));
        config.http.tls_reload_ms = reload_ms;
        config.http.header_timeout_ms = 2_000;
    })
    .await
}

/// A connection whose server shows exactly `trusted`.
async fn connect(
    bench: &Bench,
    trusted: &CertificateDer<'static>,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(bench.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("a handshake")
}

/// Asks on a connection that is kept, and returns the status line.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\"code\":\"not_found\"}") {
        bytes.push(timeout(PATIENCE, stream.read_u8()).await.expect("an answer").expect("an open connection"));
    }
    String::from_utf8(bytes).unwrap().lines().next().unwrap().to_owned()
}

/// What an answer over TLS says about coming back.
async fn strict_transport(bench: &Bench, trusted: &CertificateDer<'static>) -> Option<String> {
    let mut stream = connect(bench, trusted, &[]).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    let value = answer.lines().find_map(|line| line.strip_prefix("strict-transport-security: "));
    value.map(str::to_owned)
}

/// As `stream_path`, for the bench's own client speaks no TLS.
async fn uploaded(bench: &Bench, trusted: &CertificateDer<'static>, content: &[u8]) -> String {
    let part = b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"notes.bin\"\r\n\r\n";
    let body = [&part[..], content, b"\r\n--x--\r\n"].concat();
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {}\r\n\r\n",
        bench.alice(),
        body.len()
    );
    let mut stream = connect(bench, trusted, &[]).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    // TLS may have kept the last of it.
    stream.flush().await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    let answer: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    format!("/v1/files/stream/{}?token={}", answer["files"][0]["id"].as_str().unwrap(), bench.token(|_| {}))
}

#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let bench = start(folder.path(), 10_000).await;
    for (offered, chosen) in [(&["http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let mut stream = connect(&bench, &trusted, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
        assert_eq!(ask(&mut stream).await, "HTTP/1.1 404 Not Found");
    }
    let stream = connect(&bench, &trusted, &["http/1.1", "h2"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, _connection) = http2::client(stream).await;
    assert_eq!(http2::get(&mut client, "/x", &[]).await.status(), 404);
}

#[tokio::test]
async fn rfc6797_7_2_only_answers_over_tls_say_to_come_back_so() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let bench = start(folder.path(), 10_000).await;
    assert_eq!(strict_transport(&bench, &trusted).await.as_deref(), Some("max-age=31536000"));
    let plain = Bench::start().await.get("/", &[]).await;
    assert!(!plain.headers.contains_key("strict-transport-security"));
    let silent = Bench::start_with(|config| {
        config.http.tls_cert = Some(folder.path().join("tls.crt"));
        config.http.tls_key = Some(folder.path().join("tls.key"));
        config.http.hsts_seconds = 0;
    })
    .await;
    assert_eq!(strict_transport(&silent, &trusted).await, None);
}

#[tokio::test]
async fn new_connections_get_a_new_certificate_and_old_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path());
    let bench = start(folder.path(), 20).await;
    let mut old = connect(&bench, &first, &[]).await.unwrap();
    assert_eq!(ask(&mut old).await, "HTTP/1.1 404 Not Found");
    let second = renew(folder.path());
    timeout(PATIENCE, async { while connect(&bench, &second, &[]).await.is_err() {} }).await.expect("it is read again");
    assert!(connect(&bench, &first, &[]).await.is_err(), "the old one is not shown any more");
    assert_eq!(ask(&mut old).await, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn sighup_reads_the_certificate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = renew(folder.path());
    let bench = start(folder.path(), 86_400_000).await;
    connect(&bench, &first, &[]).await.unwrap();
    let second = renew(folder.path());
    assert!(connect(&bench, &second, &[]).await.is_err(), "nobody has looked yet");
    // This process listens to it since the gateway's start, so it does not end it.
    let pid = std::process::id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    timeout(PATIENCE, async { while connect(&bench, &second, &[]).await.is_err() {} }).await.expect("it is read again");
}

#[tokio::test]
async fn a_gateway_does_not_start_without_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    renew(folder.path());
    std::fs::write(folder.path().join("tls.key"), "nonsense").unwrap();
    let bench = tokio::spawn({
        let folder = folder.path().to_owned();
        async move { start(&folder, 10_000).await }
    });
    assert!(bench.await.is_err_and(|error| error.is_panic()), "the gateway has started");
}

#[tokio::test]
async fn clients_that_do_not_keep_their_word_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let bench = start(folder.path(), 10_000).await;
    // No handshake, half of one, and none of TLS.
    for sent in [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PREFACE] {
        let mut stream = TcpStream::connect(bench.address()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        assert!(!rest(&mut stream).await.contains("HTTP/1.1"));
    }
    // HTTP/2 was promised; then HTTP/1, or nothing at all.
    for sent in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""] {
        let mut stream = connect(&bench, &trusted, &["h2"]).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut read = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the server closes");
        assert!(read.is_empty(), "{read:?}");
    }
}

#[tokio::test]
async fn a_drain_lets_answers_over_tls_finish() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let bench = start(folder.path(), 10_000).await;
    let content = vec![7u8; 24 << 20];
    let path = uploaded(&bench, &trusted, &content).await;
    let (mut client, connection) = http2::client(connect(&bench, &trusted, &["h2"]).await.unwrap()).await;
    let over_http2 = http2::get(&mut client, &path, &[]).await;
    let mut over_http1 = connect(&bench, &trusted, &["http/1.1"]).await.unwrap();
    over_http1.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
    over_http1.flush().await.unwrap();
    let first = timeout(PATIENCE, over_http1.read_u8()).await.expect("an answer").unwrap();
    assert_eq!(first, b'H');
    bench.stop.cancel();
    timeout(PATIENCE, async { while TcpStream::connect(bench.address()).await.is_ok() {} }).await.unwrap();
    let mut read = Vec::new();
    timeout(PATIENCE, over_http1.read_to_end(&mut read)).await.expect("the whole answer").expect("and a goodbye");
    assert!(read.ends_with(&content));
    let body = timeout(PATIENCE, over_http2.into_body().collect()).await.expect("the whole answer").unwrap();
    assert_eq!(body.to_bytes().len(), content.len());
    drop(client);
    timeout(PATIENCE, connection).await.expect("the connection ends").unwrap().unwrap();
}
