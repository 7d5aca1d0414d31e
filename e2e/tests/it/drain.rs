//! The program asked to stop by SIGTERM while it serves HTTP/2, in the open and over TLS: what has begun is sent whole, nobody new
//! is served, and it ends well.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reelgate_e2e::{
    client::Upload,
    generated::generated,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use rustix::process::Signal;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs},
};

const PATIENCE: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(240);
/// Far more than all windows and buffers on the way hold.
const LENGTH: usize = 48 << 20;

type Client = SendRequest<Empty<Bytes>>;

/// A site with a file, and the path that streams it.
async fn site_with_file() -> Result<(Site, String)> {
    // A machine that runs all tests at once may need longer than the usual 30 s for what is under way.
    let site = Site::builder(Footing::Embedded).env("REELGATE__HTTP__DRAIN_SECONDS", "300").start().await?;
    let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let upload = Upload::bytes("large.bin", "application/octet-stream", generated(0, LENGTH));
    let id = client.upload_one(upload).await?;
    let token = client.stream_token(&serde_json::json!({})).await?;
    Ok((site, format!("/v1/files/stream/{id}?token={token}")))
}

fn address(site: &Site) -> Result<String> {
    Ok(site.gateways[0].url().strip_prefix("http://").context("an http address")?.to_owned())
}

async fn http2<S>(io: S) -> Result<Client>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn get(client: &mut Client, path: &str) -> Result<Response<Incoming>> {
    let request = Request::get(format!("http://a{path}")).body(Empty::new())?;
    let answer = timeout(PATIENCE, client.send_request(request)).await.context("no answer")??;
    ensure!(answer.status() == 200 && answer.version() == http::Version::HTTP_2, "{answer:?}");
    Ok(answer)
}

/// An answer is under way when the signal comes.
async fn ends_what_it_has_begun(mut site: Site, mut client: Client, path: &str) -> Result<()> {
    let answer = get(&mut client, path).await?;
    let address = address(&site)?;
    site.gateways[0].process.signal(Signal::TERM)?;
    eventually("nobody new is served", PATIENCE, async || TcpStream::connect(&address).await.is_err()).await?;
    let body = timeout(LONG, answer.into_body().collect()).await.context("not the whole answer")??.to_bytes();
    ensure!(body == generated(0, LENGTH), "other bytes");
    drop(client);
    let ended = site.gateways[0].process.wait(PATIENCE)?;
    ensure!(ended.code() == Some(0), "{ended}: {}", site.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_asked_to_stop_ends_what_it_sends_over_h2c() -> Result<()> {
    let (site, path) = site_with_file().await?;
    let client = http2(TcpStream::connect(address(&site)?).await?).await?;
    ends_what_it_has_begun(site, client, &path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_asked_to_stop_ends_what_it_sends_over_tls() -> Result<()> {
    let (mut site, path) = site_with_file().await?;
    let folder = Folder::new("drain")?;
    let trusted = certificate(folder.path())?;
    site.set_env("REELGATE__HTTP__TLS_CERT", folder.join("tls.crt"));
    site.set_env("REELGATE__HTTP__TLS_KEY", folder.join("tls.key"));
    site.restart_gateway(0).await?;
    let stream = TcpStream::connect(address(&site)?).await?;
    let name = ServerName::try_from("localhost")?;
    let client = http2(connector(trusted)?.connect(name, stream).await?).await?;
    ends_what_it_has_begun(site, client, &path).await
}

/// Writes one that signs itself, and its key.
fn certificate(folder: &Path) -> Result<CertificateDer<'static>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(folder.join("tls.crt"), made.cert.pem())?;
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem())?;
    Ok(made.cert.der().clone())
}

fn connector(trusted: CertificateDer<'static>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
