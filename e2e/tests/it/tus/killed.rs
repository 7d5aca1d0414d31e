//! A gateway that is killed in the middle of an upload: another one, or the same again, goes on from what was said to be stored. And a
//! store that takes nothing: nothing is said then.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, Method, header::CONTENT_TYPE};
use reelgate_e2e::{
    generated::generated,
    process::eventually,
    proxied::Proxied,
    proxy::store::{Call, Rule, Trouble},
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

/// The bytes behind the last whole part are an object of their own: it is there before anybody hears of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_cannot_be_stored_is_not_said() -> Result<()> {
    let at = Proxied::start(&[]).await?;
    let talk = Talk::new(&at.site, "refusing");
    let bytes = generated(12, 3_000);
    let address = talk.begin(&[("upload-length", "3000")]).await?;
    talk.patch(&address, 0, &[], bytes.slice(..1_000)).await?.expect(204)?;
    at.store.add(Rule::always(Call::Put, Trouble::Status(500)));
    let headers = [
        (HeaderName::from_static("tus-resumable"), "1.0.0"),
        (HeaderName::from_static("upload-offset"), "1000"),
        (CONTENT_TYPE, "application/offset+octet-stream"),
    ];
    let anybody = talk.anybody();
    let refused = anybody.send(Method::PATCH, &address, &headers, bytes.slice(1_000..2_000));
    ensure!(refused.await?.expect(503)?.code() == "storage_unavailable");
    ensure!(talk.offset(&address).await? == 1_000, "an offset was said that is not stored");
    at.store.heal();
    let last = talk.patch(&address, 1_000, &[], bytes.slice(1_000..)).await?.expect(204)?;
    talk.has_file(&last, &bytes).await
}
