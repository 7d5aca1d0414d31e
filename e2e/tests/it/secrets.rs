//! Whoever reads a log must not be able to play or sign in: no token and no lease stands there, even when everything is
//! logged that any library has to say, over HTTP/1 and HTTP/2, also of requests that are refused or malformed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, header::AUTHORIZATION};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reelgate_e2e::{
    client::{Client, Upload},
    process::{Folder, eventually},
    sign_in::{AUTH_SECRET, SignIn, forged_stream_token, token_keys},
    site::{Footing, Site},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::playlists::clip;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_in_a_log_embedded() -> Result<()> {
    no_credential_is_in_a_log(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_in_a_log_production() -> Result<()> {
    no_credential_is_in_a_log(Footing::Production).await
}

async fn no_credential_is_in_a_log(footing: Footing) -> Result<()> {
    let folder = Folder::new("secrets")?;
    let site = Site::builder(footing).env("REELGATE__LOG__LEVEL", "trace").start().await?;
    let jwt = SignIn::member("alice", "acme").jwt();
    let alice = site.client().signed_in(jwt.clone());
    let file = alice.upload_one(Upload::file("clip.mp4", "video/mp4", clip(&folder)?)).await?;
    alice.wait_ready(&file).await?;
    let token = alice.stream_token(&serde_json::json!({})).await?;
    let forged = forged_stream_token("alice", "acme");
    let stream = format!("/v1/files/stream/{file}");

    let nobody = site.client();
    let lease = lease_of(&nobody, &format!("{stream}/master.m3u8?token={token}")).await?;
    for (path, status) in [
        (format!("{stream}?token={token}"), 200),
        (format!("{stream}?token={forged}"), 401),
        (format!("/v1/files/stream?location=x&token={token}"), 404),
        (format!("/v1/files/stream/{}?token={token}", "x".repeat(36)), 422),
        (format!("/nothing?token={token}"), 404),
        // Mistakes of clients: the token is in the path.
        (format!("{stream}&token={token}"), 422),
        (format!("{stream}%3Ftoken%3D{token}"), 422),
        (format!("{stream}/{lease}/9/720p/0/index.m3u8"), 401),
        (format!("{stream}/{lease}"), 404),
    ] {
        let answer = nobody.get(&path).await?;
        assert_eq!(answer.status, status, "{path}: {:?}", answer.body);
    }
    over_http2(&nobody, &format!("{stream}?token={token}"), &jwt).await?;
    for rude in [
        format!("GET {stream}?token={token} HTTP/9.9\r\n\r\n"),
        format!("GET {stream}?token={token} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {jwt}\r\nX\x01: 1\r\n\r\n"),
        format!(
            "GET {stream}?token={token} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {jwt}\r\nX: {}\r\n\r\n",
            "x".repeat(40_000)
        ),
    ] {
        by_hand(&nobody, &rude).await?;
    }

    nobody.get("/the-last-request").await?.expect(404)?;
    eventually("the last line is written", PATIENCE, async || site.output().contains("/the-last-request")).await?;
    let log = site.output();
    assert!(log.contains(&format!("path=\"{stream}\"")) && log.contains("TRACE"), "nothing is logged at all");
    let keys = token_keys();
    let key = keys.split_once(':').context("a key")?.1;
    for (what, secret) in [
        ("the stream token", token.as_str()),
        ("a refused stream token", &forged),
        ("the sign-in token", &jwt),
        ("the lease", &lease),
        ("the secret of sign-in", AUTH_SECRET),
        ("the key of stream tokens", key),
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{what} stands in the log: {}", line.unwrap_or_default());
    }
    Ok(())
}

/// As the addresses in a master playlist carry it.
async fn lease_of(client: &Client, master: &str) -> Result<String> {
    let playlist = client.get(master).await?.expect(200)?.body;
    let text = String::from_utf8(playlist.to_vec())?;
    let address = text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).context("no variant")?;
    Ok(address.split('/').next().context("no lease")?.to_owned())
}

async fn over_http2(client: &Client, path: &str, jwt: &str) -> Result<()> {
    let address = client.base().strip_prefix("http://").context("an http address")?;
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
    tokio::spawn(connection);
    for signed_in in [false, true] {
        let mut request = Request::get(format!("http://{address}{path}"));
        if signed_in {
            request = request.header(AUTHORIZATION, format!("Bearer {jwt}"));
        }
        let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await?;
    }
    Ok(())
}

/// Sends what a client library would not, and waits for the end.
async fn by_hand(client: &Client, request: &str) -> Result<()> {
    let address = client.base().strip_prefix("http://").context("an http address")?;
    let mut stream = TcpStream::connect(address).await?;
    // The refusal may come first.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.context("no end")?;
    Ok(())
}
