//! A tus client of the tests: what it says is what a case gives it, and nothing else.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::Path,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, Method};
use reelgate_e2e::{
    client::{Answer, Client},
    sign_in::SignIn,
    site::Site,
};

/// Addresses that were given, to be looked for in logs.
static SECRETS: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

pub(super) type Headers<'a> = [(&'a str, &'a str)];

/// One case's conversation with the gateways, in turn.
pub(super) struct Talk {
    gateways: Vec<Client>,
    next: AtomicUsize,
    org: String,
}

impl Talk {
    /// In an organisation of its own.
    pub(super) fn new(site: &Site, case: &str) -> Self {
        let gateways = site.gateways.iter().map(reelgate_e2e::site::Gateway::client).collect();
        Self { gateways, next: AtomicUsize::new(0), org: case.replace(' ', "-") }
    }

    pub(super) fn secrets() -> Vec<String> {
        SECRETS.lock().unwrap().iter().cloned().collect()
    }

    pub(super) fn anybody(&self) -> Client {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.gateways[n % self.gateways.len()].clone()
    }

    pub(super) fn alice(&self) -> Client {
        self.anybody().signed_in(SignIn::member("alice", &self.org).jwt())
    }

    pub(super) async fn say(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        headers: &Headers<'_>,
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let answer = say_in(("tus-resumable", "1.0.0"), client, (method, path), headers, body).await?;
        ensure!(answer.headers["tus-resumable"] == "1.0.0", "every answer says the version");
        Ok(answer)
    }

    pub(super) async fn create(&self, headers: &Headers<'_>, body: impl Into<Bytes>) -> Result<Answer> {
        self.say(&self.alice(), Method::POST, "/v1/uploads", headers, body).await
    }

    /// The address of a new upload.
    pub(super) async fn begin(&self, headers: &Headers<'_>) -> Result<String> {
        address(&self.create(headers, Bytes::new()).await?.expect(201)?)
    }

    pub(super) async fn patch(
        &self,
        address: &str,
        offset: u64,
        headers: &Headers<'_>,
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let offset = offset.to_string();
        let mut all = vec![("content-type", "application/offset+octet-stream"), ("upload-offset", offset.as_str())];
        all.extend_from_slice(headers);
        self.say(&self.anybody(), Method::PATCH, address, &all, body).await
    }

    pub(super) async fn head(&self, address: &str) -> Result<Answer> {
        self.say(&self.anybody(), Method::HEAD, address, &[], Bytes::new()).await
    }

    pub(super) async fn offset(&self, address: &str) -> Result<u64> {
        offset(&self.head(address).await?.expect(200)?)
    }

    pub(super) async fn delete(&self, address: &str) -> Result<Answer> {
        self.say(&self.anybody(), Method::DELETE, address, &[], Bytes::new()).await
    }

    /// That the file is there, with these bytes.
    pub(super) async fn has_file(&self, answer: &Answer, bytes: &[u8]) -> Result<()> {
        let id = header(answer, "reelgate-file-id")?;
        let info = self.alice().info(&id).await?;
        ensure!(info["size_bytes"] == bytes.len() && info["sha256"] == sha256(bytes), "{info}");
        ensure!(info["state"] == "ready" || info["state"] == "staged" || info["state"] == "processing", "{info}");
        let stored = self.alice().get(&format!("/v1/files/{id}?rendition=source")).await?;
        ensure!(stored.status == 200 && stored.body == bytes, "{} {} bytes", stored.status, stored.body.len());
        Ok(())
    }
}

/// A request in a protocol, which a header names with its version.
pub(super) async fn say_in(
    (protocol, version): (&'static str, &str),
    client: &Client,
    (method, path): (Method, &str),
    headers: &Headers<'_>,
    body: impl Into<Bytes>,
) -> Result<Answer> {
    let mut all = vec![(HeaderName::from_static(protocol), version)];
    for (name, value) in headers {
        all.push((HeaderName::from_bytes(name.as_bytes())?, *value));
    }
    let answer = client.send(method, path, &all, body).await?;
    ensure!(answer.status.as_u16() < 500, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(answer)
}

pub(super) fn header(answer: &Answer, name: &str) -> Result<String> {
    let value = answer.headers.get(name).with_context(|| format!("no {name} in {:?}", answer.headers))?;
    Ok(value.to_str()?.to_owned())
}

pub(super) fn offset(answer: &Answer) -> Result<u64> {
    Ok(header(answer, "upload-offset")?.parse()?)
}

pub(super) fn address(answer: &Answer) -> Result<String> {
    let address = header(answer, "location")?;
    let secret = address.strip_prefix("/v1/uploads/").context("an address of an upload")?;
    ensure!(secret.len() == 22, "128 bits: {address}");
    SECRETS.lock().unwrap().insert(secret.to_owned());
    Ok(address)
}

pub(super) fn metadata(name: &str, value: &str) -> String {
    format!("{name} {}", STANDARD.encode(value))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    reelgate_common::hex::hex(&Sha256::digest(bytes))
}

/// Of a file, which need not fit into memory.
pub(super) fn sha256_of(path: &Path) -> Result<String> {
    use sha2::{Digest, Sha256};
    let (mut file, mut digest) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(reelgate_common::hex::hex(&digest.finalize()));
        }
        digest.update(&buffer[..read]);
    }
}
