//! A gateway that is killed in the middle of an upload: another one, or the same again, goes on from what was said to be stored.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, Method};
use reelgate_e2e::{
    generated::generated,
    process::eventually,
    site::{Footing, Site},
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::talk::{Talk, address, offset, sha256};

/// Two whole parts and some of a third arrive; the whole is four.
const PART: usize = 5 << 20;
const SENT: usize = 2 * PART + 1_000_000;
const WHOLE: usize = 3 * PART + 12_345;
const FIRST: usize = 777;

async fn a_killed_gateway_loses_no_offset_that_was_said(footing: Footing) -> Result<()> {
    let mut site = Site::builder(footing).gateways(2).start().await?;
    let talk = Talk::new(&site, "killed");
    let bytes = generated(11, WHOLE);
    let length = bytes.len().to_string();
    let address = address(&talk.create(&[("upload-length", &length)], "").await?.expect(201)?)?;
    // A tail is there when it begins.
    talk.patch(&address, 0, &[], bytes.slice(..FIRST)).await?.expect(204)?;

    let host = site.gateways[0].url().strip_prefix("http://").context("an address")?.to_owned();
    let mut stream = TcpStream::connect(&host).await?;
    let head = format!(
        "PATCH {address} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {FIRST}\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
        WHOLE - FIRST
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&bytes[FIRST..SENT]).await?;
    let (db, digest) = (site.database().await?, digest(&address)?);
    eventually("two parts are said to be stored", Duration::from_secs(60), async || {
        // The one that fills last is said when the next one fills, or with the end.
        let row = db.find_resumable(&digest).await;
        row.is_ok_and(|row| row.is_some_and(|row| row.held && row.stored.bytes >= PART as u64))
    })
    .await?;
    let said = db.find_resumable(&digest).await?.context("no row")?.stored.bytes;
    site.restart_gateway(0).await?;

    let other = site.gateways.last().context("no gateway")?.client();
    let version = (HeaderName::from_static("tus-resumable"), "1.0.0");
    let head = other.send(Method::HEAD, &address, &[version], "").await?.expect(200)?;
    let kept = offset(&head)?;
    ensure!(kept >= said && kept <= SENT as u64, "{kept} of {said}");
    let at = usize::try_from(kept)?;
    let last = talk.patch(&address, kept, &[], bytes.slice(at..)).await?.expect(204)?;
    talk.has_file(&last, &bytes).await?;
    let row = db.find_resumable(&digest).await?.context("no row")?;
    ensure!(row.forced && row.finished, "it was taken from one that did not let go");
    drop(stream);
    Ok(())
}

fn digest(address: &str) -> Result<String> {
    let secret = address.rsplit('/').next().context("an address")?;
    Ok(sha256(&URL_SAFE_NO_PAD.decode(secret)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_loses_no_offset_that_was_said_embedded() -> Result<()> {
    a_killed_gateway_loses_no_offset_that_was_said(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_loses_no_offset_that_was_said_in_production() -> Result<()> {
    a_killed_gateway_loses_no_offset_that_was_said(Footing::Production).await
}
