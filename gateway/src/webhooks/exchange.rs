//! One request to an endpoint: a connection of its own to an address that was looked at a moment before, the head of the answer, and
//! nothing else of it. Knows no database.

use std::{net::IpAddr, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use reelgate_common::webhook::{Miss, Told};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Duration, timeout},
};

use super::{
    Webhooks,
    resolve::tried,
    target::{Place, Target},
};

/// Of an answer's head; hyper takes no less.
const MAX_HEAD: usize = 16 * 1024;
/// Of an answer's body so much is taken, and thrown away, so that the receiver can close in peace.
const MAX_BODY: usize = 4 * 1024;
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// What is posted where.
pub(super) struct Letter {
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Webhooks {
    /// Posts it, within the limits of time. Whatever goes wrong is an answer.
    pub(super) async fn post(&self, letter: Letter) -> Told {
        let begun = Instant::now();
        let limit = self.config.total_timeout();
        let outcome = timeout(limit, self.exchange(letter)).await.unwrap_or(Err(Miss::AnswerTimeout));
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Ok(status) => Told { status: Some(status.as_u16()), miss: judge(status), duration_ms },
            Err(miss) => Told { status: None, miss: Some(miss), duration_ms },
        }
    }

    async fn exchange(&self, letter: Letter) -> Result<StatusCode, Miss> {
        // Looked at again: the configuration may be another than when it was given.
        let target = self.guard.target(&letter.url).map_err(|_| Miss::AddressForbidden)?;
        let connecting = timeout(self.config.connect_timeout(), self.connect(&target));
        let stream = connecting.await.unwrap_or(Err(Miss::ConnectTimeout))?;
        let request = request(&target, letter);
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await.map_err(unreadable)?;
        let speak = async {
            let answer = timeout(self.config.head_timeout(), sender.send_request(request)).await;
            let answer = answer.map_err(|_| Miss::AnswerTimeout)?.map_err(unreadable)?;
            let status = answer.status();
            let _ = timeout(BODY_PATIENCE, Limited::new(answer.into_body(), MAX_BODY).collect()).await;
            Ok(status)
        };
        tokio::pin!(speak);
        // Both end here, so nothing of a connection outlives its attempt.
        tokio::select! {
            outcome = &mut speak => outcome,
            _ = connection => speak.await,
        }
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, Miss> {
        let addresses = match &target.place {
            Place::Address(address) => vec![*address],
            Place::Name(name) => self.resolver.resolve(name).await,
        };
        if addresses.is_empty() {
            return Err(Miss::NameNotFound);
        }
        if !self.guard.admits(target, &addresses) {
            return Err(Miss::AddressForbidden);
        }
        let stream = reach(tried(&addresses), target.port).await?;
        drop(stream.set_nodelay(true));
        if !target.https {
            return Ok(Box::new(stream));
        }
        let stream = self.tls.connect(server_name(target)?, stream).await.map_err(|_| Miss::TlsFailed)?;
        Ok(Box::new(stream))
    }
}

/// The first that takes the connection. They are addresses, so nothing is looked up here.
async fn reach(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Miss> {
    for address in addresses {
        if let Ok(stream) = TcpStream::connect((*address, port)).await {
            return Ok(stream);
        }
    }
    Err(Miss::ConnectFailed)
}

/// The certificate must be for the name, whatever address it has led to.
fn server_name(target: &Target) -> Result<ServerName<'static>, Miss> {
    match &target.place {
        Place::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        Place::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Miss::TlsFailed),
    }
}

fn request(target: &Target, letter: Letter) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(letter.body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from(target.path.clone());
    *request.headers_mut() = letter.headers;
    let host = HeaderValue::from_str(&target.authority).expect("a parsed address is printable");
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    request
}

fn judge(status: StatusCode) -> Option<Miss> {
    match status {
        _ if status.is_success() => None,
        _ if status.is_redirection() => Some(Miss::Redirected),
        _ => Some(Miss::BadStatus),
    }
}

fn unreadable(_: hyper::Error) -> Miss {
    Miss::AnswerUnreadable
}
