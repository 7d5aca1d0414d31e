//! Programs asked to stop. By SIGTERM while HTTP/2 is served, in the open and over TLS: what has begun is sent whole, nobody new is served, and
//! it ends well. At the operations port: gateways do the same, and workers end the jobs they have.
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
    client::{Client as HttpClient, Upload},
    film::Film,
    generated::generated,
    ports::free_port,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};
use rustix::process::Signal;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
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

/// What `/scaling` of the first gateway says.
async fn scaling(site: &Site) -> Result<Value> {
    HttpClient::new(site.gateways[0].ops_url()).get("/scaling").await?.expect(200)?.json()
}

async fn ask_to_drain(ops: &HttpClient) -> Result<()> {
    let answer = ops.send(http::Method::POST, "/drain", &[], Bytes::new()).await?.expect(202)?;
    ensure!(answer.json()? == json!({ "draining": true }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_asked_to_drain_ends_what_it_has_and_takes_nothing_more() -> Result<()> {
    let address = format!("127.0.0.1:{}", free_port());
    let builder = Site::builder(Footing::Production).env("REELGATE__WORKER__OPS_LISTEN", &address);
    // Slow enough to be asked in the middle.
    let mut site =
        builder.env("REELGATE__LADDER__PRESET", "veryslow").env("REELGATE__WORKER__THREADS", "1").start().await?;
    let (worker, folder) = (HttpClient::new(format!("http://{address}")), Folder::new("drain")?);
    eventually("the worker is ready", PATIENCE, async || worker.get("/readyz").await.is_ok_and(|it| it.status == 200))
        .await?;
    worker.get("/drain").await?.expect(405)?;
    worker.get("/elsewhere").await?.expect(404)?;
    let none = scaling(&site).await?;
    ensure!((&none["load"], &none["kinds"]["process"]["running"]) == (&json!(0), &json!(0)), "{none}");

    let client = site.client().signed_in(SignIn::admin("alice", "acme").jwt());
    let film = Film { width: 854, height: 480, seconds: 6, ..Film::default() };
    let film = film.make(folder.path())?;
    let first = client.upload_one(Upload::file("film.mp4", "video/mp4", &film)).await?;
    eventually("it runs", PATIENCE, async || scaling(&site).await.is_ok_and(|it| it["running"] == 1)).await?;
    ask_to_drain(&worker).await?;
    // Still there, and not ready.
    let ready = worker.get("/readyz").await?.expect(503)?.json()?;
    ensure!((&ready["draining"], &ready["checks"]["queue"]["needed"]) == (&json!(true), &json!(true)), "{ready}");
    let figures = worker.get("/metrics").await?.expect(200)?.body;
    ensure!(std::str::from_utf8(&figures)?.lines().any(|line| line == "reelgate_draining 1"), "it says that it drains");

    let second = client.upload_one(Upload::file("again.mp4", "video/mp4", &film)).await?;
    let ended = site.workers[0].wait(LONG)?;
    ensure!(ended.code() == Some(0), "{ended}: {}", site.output());
    let info = client.info(&first).await?;
    ensure!((&info["state"], &info["progress"]) == (&json!("ready"), &json!(1.0)), "{info}");
    let (_, jobs) = site.command(&["jobs", "ls", "--file", &first])?;
    let jobs: Value = serde_json::from_str(&jobs).context(jobs)?;
    ensure!((&jobs["jobs"][0]["state"], &jobs["jobs"][0]["attempt"]) == (&json!("done"), &json!(1)), "{jobs}");
    let waits = scaling(&site).await?;
    ensure!((&waits["load"], &waits["waiting"], &waits["running"]) == (&json!(1), &json!(1), &json!(0)), "{waits}");

    // What an autoscaler does with that.
    site.start_worker()?;
    client.wait_settled(&second, LONG).await?;
    eventually("nothing is left", PATIENCE, async || scaling(&site).await.is_ok_and(|it| it["load"] == 0)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_time_to_drain_ends_its_job_after_sigterm() -> Result<()> {
    let builder = Site::builder(Footing::Production).env("REELGATE__WORKER__DRAIN_SECONDS", "300");
    let mut site =
        builder.env("REELGATE__LADDER__PRESET", "veryslow").env("REELGATE__WORKER__THREADS", "1").start().await?;
    let folder = Folder::new("drain")?;
    let client = site.client().signed_in(SignIn::admin("alice", "acme").jwt());
    let film = Film { width: 854, height: 480, seconds: 6, ..Film::default() };
    let file = client.upload_one(Upload::file("film.mp4", "video/mp4", film.make(folder.path())?)).await?;
    eventually("it runs", PATIENCE, async || scaling(&site).await.is_ok_and(|it| it["running"] == 1)).await?;
    site.workers[0].signal(Signal::TERM)?;
    let ended = site.workers[0].wait(LONG)?;
    ensure!(ended.code() == Some(0), "{ended}: {}", site.output());
    let info = client.info(&file).await?;
    ensure!((&info["state"], &info["progress"]) == (&json!("ready"), &json!(1.0)), "{info}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_asked_to_drain_ends_what_it_sends() -> Result<()> {
    let (mut site, path) = site_with_file().await?;
    let ops = HttpClient::new(site.gateways[0].ops_url());
    ops.get("/drain").await?.expect(405)?;
    let mut body = site.client().open(http::Method::GET, &path, &[]).await?.into_body();
    let begun = timeout(PATIENCE, body.frame()).await?.context("an end")??;
    ask_to_drain(&ops).await?;
    eventually("nobody new is served", PATIENCE, async || site.client().get("/").await.is_err()).await?;
    ensure!(ops.get("/readyz").await?.expect(503)?.json()?["draining"] == true);
    let rest = timeout(LONG, body.collect()).await??.to_bytes();
    let whole = [begun.into_data().ok().context("trailers")?, rest].concat();
    ensure!(whole == generated(0, LENGTH), "other bytes");
    let ended = site.gateways[0].process.wait(PATIENCE)?;
    ensure!(ended.code() == Some(0), "{ended}: {}", site.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_all_it_is_given_and_returns_when_they_have_ended() -> Result<()> {
    let address = format!("http://127.0.0.1:{}", free_port());
    let listen = address.trim_start_matches("http://");
    let mut site = Site::builder(Footing::Production).env("REELGATE__WORKER__OPS_LISTEN", listen).start().await?;
    let worker = HttpClient::new(&*address);
    eventually("the worker is ready", PATIENCE, async || worker.get("/readyz").await.is_ok_and(|it| it.status == 200))
        .await?;
    let gateway = site.gateways[0].ops_url();
    let (succeeded, output) = site.command(&["drain", "http://127.0.0.1:9"])?;
    ensure!(!succeeded && output.contains("cannot reach http://127.0.0.1:9/"), "{output}");
    let (succeeded, output) = site.command(&["drain", &site.gateways[0].url()])?;
    ensure!(!succeeded && output.contains("operations port"), "{output}");

    // An upload that goes on holds the gateway.
    let client = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let mut upload = client.begin_upload("slow.bin", 10).await?;
    upload.send(b"12345").await?;
    let (succeeded, output) = site.command(&["drain", &gateway, &address, "--timeout", "2s"])?;
    ensure!(!succeeded && output.contains("still drains"), "{output}");
    upload.send(b"67890").await?;
    ensure!(upload.finish().await?.0 == 200);
    let (succeeded, output) = site.command(&["drain", &gateway])?;
    // It may have ended before it could be asked once more.
    ensure!(succeeded || output.contains("cannot reach"), "{output}");
    for process in [&mut site.gateways[0].process, &mut site.workers[0]] {
        ensure!(process.wait(PATIENCE)?.code() == Some(0), "{}", process.output());
    }
    Ok(())
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
