//! A proxy before an S3 server that knows which call a request is, so that one kind of call, or the n-th of it, can go wrong
//! in a way of its own. Addresses and headers pass as they are, so signatures stay valid.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::Ipv4Addr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::task::AbortOnDropHandle;

use super::policy::{Asked, Policy, asked};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What S3 would do for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    Put,
    Copy,
    Create,
    PutPart,
    Complete,
    Abort,
    Get,
    Head,
    Delete,
    List,
}

impl Call {
    fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match *request.method() {
            Method::POST if has("uploads") => Self::Create,
            Method::POST => Self::Complete,
            Method::PUT if has("uploadId") => Self::PutPart,
            Method::PUT if request.headers().contains_key("x-amz-copy-source") => Self::Copy,
            Method::PUT => Self::Put,
            Method::DELETE if has("uploadId") => Self::Abort,
            Method::DELETE => Self::Delete,
            Method::HEAD => Self::Head,
            _ if has("list-type") || has("uploads") => Self::List,
            _ => Self::Get,
        }
    }
}

/// How it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Not passed on; answered so.
    Status(u16),
    /// Not passed on; answered 200 with an error in the body, as S3 does when it notices late.
    ErrorUnder200,
    /// Passed on; the answer never comes.
    LostReply,
    /// Passed on; the answer's body is cut after so many bytes.
    CutBody(u64),
    /// Passed on; the answer's body comes with so many bytes a second.
    SlowBody(u32),
    /// Passed on; after so many bytes of the answer's body nothing more comes, and the connection stays.
    StallBody(u64),
    Delay(Duration),
    /// Passed on without its If-Match, as if the store did not know it. Only for a store that looks at no signatures.
    IgnoreIfMatch,
}

/// Which calls go wrong: of those that match, the first `skip` do not, then `times` do.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Any call if none is given.
    pub call: Option<Call>,
    /// What the path must contain; nothing for any.
    pub path: String,
    pub skip: u64,
    pub times: u64,
    pub trouble: Trouble,
}

impl Rule {
    /// Each such call from now on.
    #[must_use]
    pub fn always(call: Call, trouble: Trouble) -> Self {
        Self { call: Some(call), path: String::new(), skip: 0, times: u64::MAX, trouble }
    }

    /// The next one only.
    #[must_use]
    pub fn once(call: Call, trouble: Trouble) -> Self {
        Self { times: 1, ..Self::always(call, trouble) }
    }

    /// After so many that go well.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Only of objects with this in their path.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    fn hits(&mut self, call: Call, path: &str) -> bool {
        if self.call.is_some_and(|wanted| wanted != call) || !path.contains(&self.path) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let hits = self.times > 0;
        self.times = self.times.saturating_sub(1);
        hits
    }
}

/// A request that came by.
#[derive(Debug, Clone)]
pub struct Seen {
    pub call: Call,
    pub path: String,
    pub range: Option<String>,
    pub if_match: Option<String>,
    pub trouble: Option<Trouble>,
}

/// Dropping it cuts everything.
#[derive(Debug)]
pub struct StoreProxy {
    port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    client: Client<HttpConnector, Incoming>,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<Seen>>,
    policy: Option<Policy>,
    asked: Mutex<BTreeSet<Asked>>,
}

impl StoreProxy {
    /// In front of the server at this port.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(upstream: u16) -> Result<Self> {
        Self::start_under(upstream, None).await
    }

    /// As `start`; what the policy does not allow is refused, as the store would.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start_under(upstream: u16, policy: Option<Policy>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let (rules, seen, asked) = (Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { upstream, client, rules, seen, policy, asked });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Ok(Self { port, shared, _accepting: accepting })
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds a rule; the first that matches decides.
    pub fn add(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Everything goes well again.
    pub fn heal(&self) {
        lock(&self.shared.rules).clear();
    }

    /// What came by so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// What was asked for under a policy, allowed or not.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// How many of one kind came by so far.
    #[must_use]
    pub fn count(&self, call: Call) -> usize {
        lock(&self.shared.seen).iter().filter(|seen| seen.call == call).count()
    }

    /// Forgets what came by: a long run would keep too much.
    pub fn forget(&self) {
        lock(&self.shared.seen).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { shared.answer(request).await }
            });
            // A cut connection is an error here, and meant.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Shared {
    fn judge(&self, request: &Request<Incoming>) -> Option<Trouble> {
        let (call, path) = (Call::of(request), request.uri().path().to_owned());
        let trouble = lock(&self.rules).iter_mut().find_map(|rule| rule.hits(call, &path).then_some(rule.trouble));
        let header = |name| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
        let (range, if_match) = (header("range"), header("if-match"));
        lock(&self.seen).push(Seen { call, path, range, if_match, trouble });
        trouble
    }

    fn is_allowed(&self, request: &Request<Incoming>) -> bool {
        let Some(policy) = &self.policy else { return true };
        let wanted = asked(request);
        lock(&self.asked).extend(wanted.iter().cloned());
        wanted.iter().all(|asked| policy.allows(asked))
    }

    async fn answer(&self, request: Request<Incoming>) -> std::io::Result<Response<Body>> {
        if !self.is_allowed(&request) {
            return refuse(request, 403, DENIED).await;
        }
        match self.judge(&request) {
            None => self.pass_on(request).await,
            Some(Trouble::Status(status)) => refuse(request, status, ERROR).await,
            Some(Trouble::ErrorUnder200) => refuse(request, 200, ERROR).await,
            Some(Trouble::LostReply) => {
                let answer = self.pass_on(request).await?;
                let _ = answer.into_body().collect().await;
                Err(std::io::ErrorKind::ConnectionAborted.into())
            }
            Some(Trouble::CutBody(bytes)) => Ok(self.pass_on(request).await?.map(|body| cut(body, bytes))),
            Some(Trouble::StallBody(bytes)) => Ok(self.pass_on(request).await?.map(|body| stall(body, bytes))),
            Some(Trouble::SlowBody(rate)) => Ok(self.pass_on(request).await?.map(|body| slowly(body, rate))),
            Some(Trouble::IgnoreIfMatch) => {
                let mut request = request;
                request.headers_mut().remove(http::header::IF_MATCH);
                self.pass_on(request).await
            }
            Some(Trouble::Delay(time)) => {
                sleep(time).await;
                self.pass_on(request).await
            }
        }
    }

    async fn pass_on(&self, mut request: Request<Incoming>) -> std::io::Result<Response<Body>> {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let address = format!("http://127.0.0.1:{}{path}", self.upstream);
        *request.uri_mut() = address.parse::<Uri>().map_err(std::io::Error::other)?;
        let answer = self.client.request(request).await.map_err(std::io::Error::other)?;
        Ok(answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync()))
    }
}

const ERROR: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code>\
                     <Message>We encountered an internal error. Please try again.</Message></Error>";

const DENIED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>\
                      <Message>Access Denied</Message></Error>";

/// Takes the request's body first: a refusal in the middle of it would break the connection instead.
async fn refuse(request: Request<Incoming>, status: u16, body: &'static str) -> std::io::Result<Response<Body>> {
    let _ = request.into_body().collect().await;
    let body = Full::from(body).map_err(|never: Infallible| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).map_err(std::io::Error::other)?;
    Ok(answer)
}

type Pieces = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

fn pieces(body: Body) -> Pieces {
    body.into_data_stream().boxed()
}

fn body_of(pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

fn cut(body: Body, bytes: u64) -> Body {
    body_of(first(body, bytes).chain(stream::once(async {
        // What was given before is written first: an error at once would take it along.
        sleep(Duration::from_millis(50)).await;
        Err(std::io::ErrorKind::ConnectionAborted.into())
    })))
}

fn stall(body: Body, bytes: u64) -> Body {
    body_of(first(body, bytes).chain(stream::pending()))
}

/// Ends after so many bytes.
fn first(body: Body, bytes: u64) -> Pieces {
    let first = stream::try_unfold((pieces(body), bytes), |(mut pieces, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(piece) = pieces.next().await.transpose()? else { return Ok(None) };
        let taken = piece.slice(..usize::try_from(left).unwrap_or(usize::MAX).min(piece.len()));
        let left = left - taken.len() as u64;
        Ok(Some((taken, (pieces, left))))
    });
    first.boxed()
}

fn slowly(body: Body, rate: u32) -> Body {
    const BEATS: u32 = 10;
    let size = usize::try_from(rate / BEATS).unwrap_or(1).max(1);
    let begin = (pieces(body), Bytes::new());
    body_of(stream::try_unfold(begin, move |(mut pieces, mut rest)| async move {
        while rest.is_empty() {
            let Some(piece) = pieces.next().await.transpose()? else { return Ok(None) };
            rest = piece;
        }
        sleep(Duration::from_secs(1) / BEATS).await;
        let taken = rest.split_to(size.min(rest.len()));
        Ok(Some((taken, (pieces, rest))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, uri: &str) -> Call {
        Call::of(&Request::builder().method(method).uri(uri).body(()).unwrap())
    }

    #[test]
    fn calls_are_told_apart_by_method_and_query() {
        assert_eq!(call(Method::POST, "/b/k?uploads"), Call::Create);
        assert_eq!(call(Method::POST, "/b/k?uploadId=1"), Call::Complete);
        assert_eq!(call(Method::PUT, "/b/k?partNumber=2&uploadId=1"), Call::PutPart);
        assert_eq!(call(Method::PUT, "/b/k"), Call::Put);
        assert_eq!(call(Method::DELETE, "/b/k?uploadId=1"), Call::Abort);
        assert_eq!(call(Method::GET, "/b?list-type=2"), Call::List);
        assert_eq!(call(Method::GET, "/b/k"), Call::Get);
    }

    #[test]
    fn a_rule_hits_as_often_as_it_says() {
        let mut rule = Rule { times: 2, ..Rule::always(Call::Put, Trouble::Status(500)) }.after(1).at("staging/");
        let hits =
            ["staging/a", "media/a", "staging/b", "staging/c", "staging/d"].map(|path| rule.hits(Call::Put, path));
        assert_eq!(hits, [false, false, true, true, false]);
    }
}
