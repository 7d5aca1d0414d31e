//! Receivers of webhooks, by hand on a bare socket: what came, in order, and answers as a test wants them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result, ensure};
use hmac::{Hmac, KeyInit, Mac};
use reelgate_e2e::contract::Contract;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::Value;
use sha2::Sha256;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls};

/// Nobody but the test may see it.
pub(crate) const SECRET_BODY: &str = "what-the-receiver-says-is-nobodys-business";

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    headers: HashMap<String, String>,
    pub(crate) body: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    RedirectTo(String),
    Hang,
    Close,
}

type Answers = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

/// A running receiver. Dropping it stops it from taking more.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<Mutex<usize>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn event(&self) -> String {
        self.header("reelgate-event-id").to_owned()
    }

    pub(crate) fn delivery(&self) -> String {
        self.header("reelgate-delivery-id").to_owned()
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.header("reelgate-attempt").parse().unwrap_or_default()
    }

    pub(crate) fn file(&self) -> String {
        self.json()["file_id"].as_str().unwrap_or_default().to_owned()
    }

    /// How many signatures there are, and whether one is this secret's.
    pub(crate) fn signed_by(&self, secret: &str) -> Result<(usize, bool)> {
        let header = self.header("reelgate-signature");
        let (time, rest) = header.strip_prefix("t=").and_then(|it| it.split_once(',')).context("no time")?;
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
        let made = mac.chain_update(format!("{time}.{}", self.body)).finalize().into_bytes();
        let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        let signatures: Vec<_> = rest.split(',').filter_map(|part| part.strip_prefix("v1=")).collect();
        Ok((signatures.len(), signatures.contains(&made.as_str())))
    }
}

impl Receiver {
    pub(crate) async fn start(answers: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Result<Self> {
        Self::start_on("127.0.0.1:0".parse()?, None, answers).await
    }

    /// With a certificate and its key as PEM.
    pub(crate) async fn start_on(
        address: SocketAddr,
        pem: Option<(String, String)>,
        answers: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let tls = pem.map(|(certificate, key)| acceptor(&certificate, &key)).transpose()?;
        let (received, connections): (Arc<Mutex<Vec<Received>>>, Arc<Mutex<usize>>) = Default::default();
        let (noted, counted, answers) = (received.clone(), connections.clone(), Arc::new(answers) as Answers);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                let (noted, answers, tls) = (noted.clone(), answers.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &noted, &answers).await,
                        Some(tls) => serve(tls.accept(stream).await?, &noted, &answers).await,
                    }
                });
            }
        });
        Ok(Self { address, received, connections, task })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came so far, each as the API's document has it.
    pub(crate) fn received(&self) -> Vec<Received> {
        let received = self.received.lock().unwrap().clone();
        for request in &received {
            let kind = request.header("reelgate-event-type");
            Contract::own().hold_event(kind, &request.json()).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
        received
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor> {
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    noted: &Mutex<Vec<Received>>,
    answers: &Answers,
) -> Result<()> {
    let request = read(&mut stream).await?;
    let reply = answers(&request);
    noted.lock().unwrap().push(request);
    let head = match reply {
        Reply::Status(status) => format!("HTTP/1.1 {status} As-Wanted\r\n"),
        Reply::RedirectTo(address) => format!("HTTP/1.1 307 Elsewhere\r\nLocation: {address}\r\n"),
        Reply::Close => return Ok(()),
        Reply::Hang => {
            // Until the other side has gone.
            _ = stream.read(&mut [0]).await;
            return Ok(());
        }
    };
    let length = SECRET_BODY.len();
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{SECRET_BODY}").as_bytes()).await?;
    stream.flush().await?;
    Ok(())
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at;
        }
        ensure!(stream.read_buf(&mut bytes).await? > 0, "the head broke off");
        ensure!(bytes.starts_with(b"P"), "no HTTP");
    };
    let head = String::from_utf8(bytes[..end].to_vec())?;
    let mut lines = head.split("\r\n");
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).context("no path")?.to_owned();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers: HashMap<String, String> =
        pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length: usize = headers.get("content-length").context("no length")?.parse()?;
    while bytes.len() < end + 4 + length {
        ensure!(stream.read_buf(&mut bytes).await? > 0, "the body broke off");
    }
    Ok(Received { path, headers, body: String::from_utf8(bytes[end + 4..].to_vec())? })
}
