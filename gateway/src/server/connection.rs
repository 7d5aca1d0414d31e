//! One connection from its first byte to its last: TLS if there is a certificate, HTTP/1 or HTTP/2 by what the client
//! begins with, and an end when it is idle, slow or told to.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hyper::{
    Request,
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use metrics::Counter;
use reelgate_common::metric::HTTP_CONNECTIONS_ENDED;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Handler, Peer,
    dispatcher::{Dispatcher, sent_from_files},
    limits::Limits,
    sent::{Handling, Sent},
    sniff::{Protocol, sniff},
    socket::Socket,
    transport::Transport,
    watch::{Overdue, Pace, Watch},
};
use crate::{body::Outlet, config::HttpConfig, tls::Tls};

/// What all connections of a listener have in common.
pub(super) struct Connections<H> {
    limits: Limits,
    sendfile: bool,
    sent_from_files: Counter,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    tls: Option<Tls>,
    handler: H,
    /// Finish what is under way and take no more.
    stop: CancellationToken,
    /// End at once.
    cut: CancellationToken,
}

/// How a connection ended that did not end well.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    #[error("the client broke the protocol or left")]
    Http(#[from] hyper::Error),
    #[error("the client took too long: {0:?}")]
    Overdue(Overdue),
    #[error("the client promised HTTP/2 and did not begin it")]
    NoPreface,
    #[error("the server stops")]
    Stopped,
}

impl<H: Handler> Connections<H> {
    pub(super) fn new(
        config: &HttpConfig,
        tls: Option<Tls>,
        handler: H,
        stop: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        let (limits, sendfile) = (Limits::of(config), config.sendfile);
        let (http1, http2) = (limits.http1(), limits.http2());
        Self { limits, sendfile, sent_from_files: sent_from_files(), http1, http2, tls, handler, stop, cut }
    }

    /// Serves one connection to its end, and holds `_held` as long. Not wrapped in another future for that: each wrapping
    /// keeps what it wraps twice.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _held: impl Send) {
        let ended = match &self.tls {
            None => self.open(stream, peer, false).await,
            // Boxed: a handshake is large, and plain connections must not pay for it.
            Some(tls) => Box::pin(self.open_tls(tls, stream, peer)).await,
        };
        let Err(ended) = ended else { return };
        if let Ended::Overdue(why) = &ended {
            HTTP_CONNECTIONS_ENDED.counter_of([("why", why.as_str())]).increment(1);
        }
        tracing::debug!(error = &ended as &dyn std::error::Error, %peer, "a connection ended");
    }

    async fn open_tls(&self, tls: &Tls, stream: TcpStream, peer: SocketAddr) -> Result<(), Ended> {
        stream.set_nodelay(true)?;
        let stream = self.first(tls.accept(stream)).await?;
        let promised = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        self.open(stream, peer, promised).await
    }

    /// What a client does first, within the time for a head; a stop does not wait for it.
    async fn first<T>(&self, begun: impl Future<Output = io::Result<T>>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Ended::Stopped),
            outcome = timeout(self.limits.header, begun) => Ok(outcome.map_err(|_| Ended::Overdue(Overdue::Head))??),
        }
    }

    async fn open<S>(&self, mut stream: S, peer: SocketAddr, promised_http2: bool) -> Result<(), Ended>
    where
        S: Socket,
    {
        stream.prepare()?;
        let begun = Instant::now();
        let (protocol, sniffed) = self.first(sniff(&mut stream)).await?;
        if promised_http2 && protocol != Protocol::Http2 {
            return Err(Ended::NoPreface);
        }
        let watch = Arc::new(Watch::new(begun, protocol));
        // HTTP/2 cuts what it is given into frames of its own.
        let sends_files = S::SENDS_FILES && self.sendfile && protocol == Protocol::Http1;
        let outlet = sends_files.then(Outlet::default);
        let files = outlet.clone().map(|outlet| (outlet, Dispatcher::new(self.sent_from_files.clone())));
        let io = TokioIo::new(Transport::new(stream, sniffed, watch.clone(), files));
        let service = self.service(Peer { address: peer, outlet }, watch.clone());
        self.drive(self.connection(protocol, io, service), &watch).await
    }

    /// The future of a request is boxed: hyper keeps room for it while a connection is idle.
    fn service(
        &self,
        peer: Peer,
        watch: Arc<Watch>,
    ) -> impl Service<Request<Incoming>, Response = http::Response<Sent>, Error = Infallible, Future = Answering>
    + Send
    + use<H> {
        let handler = self.handler.clone();
        service_fn(move |request| {
            let handling = Handling::begin(watch.clone());
            if let Some(response) = handler.at_once(&peer, &request) {
                return Answering::AtOnce(Some(response.map(|body| handling.answer(body))));
            }
            let (handler, peer) = (handler.clone(), peer.clone());
            let answer = async move {
                let response = handler.handle(peer, request).await;
                Ok(response.map(|body| handling.answer(body)))
            };
            Answering::Later(Box::pin(answer))
        })
    }

    fn connection<I, S>(&self, protocol: Protocol, io: TokioIo<I>, service: S) -> Pin<Box<dyn Served>>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = http::Response<Sent>, Error = Infallible, Future = Answering>
            + Send
            + 'static,
    {
        match protocol {
            Protocol::Http1 => Box::pin(self.http1.serve_connection(io, service)),
            Protocol::Http2 => Box::pin(self.http2.serve_connection(io, service)),
        }
    }

    async fn drive(&self, mut connection: Pin<Box<dyn Served>>, watch: &Watch) -> Result<(), Ended> {
        let (mut pace, mut leaving) = (Pace::new(), false);
        // A set of one: it is polled only when it has something to say. Asking the tokens each time the connection moves
        // would be four locks that all connections share.
        let mut signals = FuturesUnordered::new();
        signals.push(self.signal(watch.next_look(&self.limits), leaving));
        loop {
            let signal = tokio::select! {
                biased;
                outcome = driven(connection.as_mut(), watch) => return Ok(outcome?),
                Some(signal) = signals.next() => signal,
            };
            let mut next = watch.next_look(&self.limits);
            match signal {
                Signal::Cut => return Err(Ended::Stopped),
                Signal::Stop => {
                    leaving = true;
                    connection.as_mut().leave();
                }
                Signal::Look => match watch.overdue(&self.limits, &mut pace) {
                    // Said first, so that the client does not send a request into a closing connection.
                    Some(Overdue::Idle) if !leaving => {
                        leaving = true;
                        connection.as_mut().leave();
                        next = Instant::now() + self.limits.header;
                    }
                    Some(why) => return Err(Ended::Overdue(why)),
                    None => {}
                },
            }
            signals.push(self.signal(next, leaving));
        }
    }

    /// What else than the connection itself is to be seen to.
    async fn signal(&self, look: Instant, leaving: bool) -> Signal {
        tokio::select! {
            biased;
            () = self.cut.cancelled() => Signal::Cut,
            () = self.stop.cancelled(), if !leaving => Signal::Stop,
            () = sleep_until(look) => Signal::Look,
        }
    }
}

/// The connection, as far as it comes.
fn driven<'a>(
    mut connection: Pin<&'a mut dyn Served>,
    watch: &'a Watch,
) -> impl Future<Output = hyper::Result<()>> + 'a {
    poll_fn(move |cx| {
        let outcome = connection.as_mut().poll(cx);
        watch.settle();
        outcome
    })
}

enum Signal {
    Cut,
    Stop,
    Look,
}

/// An answer, or the making of one.
enum Answering {
    AtOnce(Option<http::Response<Sent>>),
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

type Answer = Result<http::Response<Sent>, Infallible>;

impl Future for Answering {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        match self.get_mut() {
            Self::AtOnce(answer) => Poll::Ready(Ok(answer.take().expect("a future is not polled after its end"))),
            Self::Later(making) => making.as_mut().poll(cx),
        }
    }
}

/// A connection of either protocol, under way.
trait Served: Future<Output = hyper::Result<()>> + Send {
    /// Ends once the requests under way are answered.
    fn leave(self: Pin<&mut Self>);
}

impl<I, S> Served for http1::Connection<TokioIo<I>, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = http::Response<Sent>, Error = Infallible, Future = Answering> + Send,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Served for http2::Connection<TokioIo<I>, S, TokioExecutor>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = http::Response<Sent>, Error = Infallible, Future = Answering> + Send,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
