//! A small HTTP client: what the tests say to the API. Each request has a connection of its own, so that a killed
//! gateway leaves no stale one behind. Each answer is held against the API's document, and one that is not as that has it ends the test.

use std::{
    ops::Range,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::contract::{Contract, Exchange};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// How much of a file is in memory at a time.
const CHUNK: usize = 256 * 1024;
const BOUNDARY: &str = "reelgate-e2e-boundary-7c1f";
/// For what a busy machine may take long over.
const PATIENCE: Duration = Duration::from_secs(60);

/// One caller of one gateway.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http<HttpConnector, Body>,
    base: String,
    bearer: Option<String>,
    /// Goes with its uploads.
    repeat_key: Option<String>,
    /// Goes with whatever it asks.
    traceparent: Option<String>,
    /// Whether its gateway is of this build, so that this build's document tells what it answers.
    held: bool,
}

/// A response, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// # Errors
    /// The body is no JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{} with no JSON", self.status))
    }

    /// The stable code of an error body; empty for anything else.
    #[must_use]
    pub fn code(&self) -> String {
        let code = self.json().ok().and_then(|body| Some(body.get("code")?.as_str()?.to_owned()));
        code.unwrap_or_default()
    }

    /// # Errors
    /// The status is another; the error shows the body.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{} instead of {status}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(self)
    }
}

/// A file to be uploaded.
#[derive(Debug, Clone)]
pub struct Upload {
    pub filename: String,
    pub content_type: String,
    pub content: Content,
}

/// Where its bytes come from.
#[derive(Debug, Clone)]
pub enum Content {
    Bytes(Bytes),
    /// Read as it is sent.
    File(PathBuf),
}

impl Upload {
    pub fn bytes(filename: impl Into<String>, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let content = Content::Bytes(bytes.into());
        Self { filename: filename.into(), content_type: content_type.into(), content }
    }

    pub fn text(filename: impl Into<String>, text: impl Into<String>) -> Self {
        Self::bytes(filename, "text/plain", text.into())
    }

    pub fn file(filename: impl Into<String>, content_type: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { filename: filename.into(), content_type: content_type.into(), content: Content::File(path.into()) }
    }

    fn head(&self) -> Bytes {
        let Self { filename, content_type, .. } = self;
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{filename}\"\r\n\
             Content-Type: {content_type}\r\n\r\n"
        )
        .into()
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(path) => std::fs::metadata(path)?.len(),
        })
    }

    fn chunks(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
        let head = self.head();
        let content = match self.content {
            Content::Bytes(bytes) => stream::iter([Ok(bytes)]).left_stream(),
            Content::File(path) => file_chunks(path).right_stream(),
        };
        stream::iter([Ok(head)]).chain(content).chain(stream::iter([Ok(Bytes::from_static(b"\r\n"))]))
    }
}

fn file_chunks(path: PathBuf) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let opened = stream::once(async move { tokio::fs::File::open(path).await });
    opened.map_ok(|file| stream::try_unfold(file, next_chunk)).try_flatten()
}

async fn next_chunk(mut file: tokio::fs::File) -> std::io::Result<Option<(Bytes, tokio::fs::File)>> {
    let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
    let read = file.read_buf(&mut chunk).await?;
    Ok((read > 0).then(|| (chunk.freeze(), file)))
}

fn closing() -> Bytes {
    format!("--{BOUNDARY}--\r\n").into()
}

fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

fn form_length(uploads: &[Upload]) -> Result<u64> {
    let mut length = closing().len() as u64;
    for upload in uploads {
        length += upload.head().len() as u64 + upload.length()? + 2;
    }
    Ok(length)
}

fn body_of(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

impl Client {
    /// Of the gateway at `base` (`http://127.0.0.1:PORT`), not signed in.
    pub fn new(base: impl Into<String>) -> Self {
        let http = Http::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { http, base: base.into(), bearer: None, repeat_key: None, traceparent: None, held: true }
    }

    /// Of a gateway of another build, whose answers are not held against this one's document.
    #[must_use]
    pub fn of_another_build(self) -> Self {
        Self { held: false, ..self }
    }

    /// The same, every upload of which is a repetition of the first.
    #[must_use]
    pub fn repeating(&self, key: &str) -> Self {
        Self { repeat_key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same, whose requests go on with a trace.
    #[must_use]
    pub fn traced(&self, traceparent: &str) -> Self {
        Self { traceparent: Some(traceparent.to_owned()), ..self.clone() }
    }

    /// The same gateway as somebody else.
    #[must_use]
    pub fn signed_in(&self, jwt: impl Into<String>) -> Self {
        Self { bearer: Some(jwt.into()), ..self.clone() }
    }

    /// Whether its answers are held against the document.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request with a small body; `path` begins with a slash and may have a query.
    ///
    /// # Errors
    /// The gateway is away or cuts the answer.
    ///
    /// # Panics
    /// The answer is not as the API's document has it, which no test may expect or try again.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        self.exchange(method, path, headers, body_of(body)).await
    }

    /// The same, of an answer that is read while it comes.
    ///
    /// # Errors
    /// The gateway is away.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &str)],
    ) -> Result<http::Response<Incoming>> {
        let request = self.request(&method, path, headers, body_of(Bytes::new()))?;
        let answer = self.http.request(request).await.with_context(|| format!("{method} {path}"))?;
        let (status, headers) = (answer.status(), answer.headers());
        self.hold(&Exchange { method: &method, path, status, headers, body: None });
        Ok(answer)
    }

    fn hold(&self, exchange: &Exchange<'_>) {
        let outcome = if self.held { Contract::own().hold(exchange) } else { Ok(()) };
        outcome.unwrap_or_else(|breach| panic!("{breach}"));
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: Body,
    ) -> Result<Request<Body>> {
        let mut request = Request::builder().method(method.clone()).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(traceparent) = &self.traceparent {
            request = request.header("traceparent", traceparent);
        }
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {bearer}"))?);
        }
        Ok(request.body(body)?)
    }

    async fn exchange(&self, method: Method, path: &str, headers: &[(HeaderName, &str)], body: Body) -> Result<Answer> {
        let request = self.request(&method, path, headers, body)?;
        let exchange = async {
            let (head, body) = self.http.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let answer = exchange.await.with_context(|| format!("{method} {path}"))?;
        let Answer { status, headers: told, body } = &answer;
        self.hold(&Exchange {
            method: meant(&method, headers),
            path,
            status: *status,
            headers: told,
            body: Some(body),
        });
        Ok(answer)
    }

    /// # Errors
    /// As `send`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// # Errors
    /// As `send`.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, &[], Bytes::new()).await
    }

    /// # Errors
    /// As `send`.
    pub async fn post_json(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, &[(header::CONTENT_TYPE, "application/json")], body.to_string()).await
    }

    /// Bytes `range` of what is at `path`.
    ///
    /// # Errors
    /// As `send`, or it is answered with anything but these bytes.
    pub async fn range(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        let value = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = self.send(Method::GET, path, &[(header::RANGE, &value)], Bytes::new()).await?.expect(206)?;
        ensure!(answer.body.len() as u64 == range.end - range.start, "a range of {} bytes", answer.body.len());
        Ok(answer.body)
    }

    /// `POST /v1/files` with any outcome.
    ///
    /// # Errors
    /// A file cannot be read, or as `send`.
    pub async fn post_files(&self, path: &str, uploads: Vec<Upload>) -> Result<Answer> {
        let length = form_length(&uploads)?.to_string();
        let headers = [(header::CONTENT_TYPE, form_type()), (header::CONTENT_LENGTH, length)];
        let mut headers: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), value.as_str())).collect();
        headers.extend(self.repeat_key.iter().map(|key| (HeaderName::from_static("idempotency-key"), key.as_str())));
        let parts = stream::iter(uploads).map(Upload::chunks).flatten();
        let body = StreamBody::new(parts.chain(stream::iter([Ok(closing())])).map_ok(Frame::data)).boxed_unsync();
        self.exchange(Method::POST, path, &headers, body).await
    }

    /// Uploads and returns the files as the API shows them.
    ///
    /// # Errors
    /// Any of them was not stored.
    pub async fn upload(&self, uploads: Vec<Upload>) -> Result<Vec<Value>> {
        let answer = self.post_files("/v1/files", uploads).await?.expect(200)?.json()?;
        let files = answer["files"].as_array().context("no files in the answer")?.clone();
        ensure!(files.iter().all(|file| file.get("error").is_none()), "not all were stored: {answer}");
        Ok(files)
    }

    /// Uploads one file and returns its id.
    ///
    /// # Errors
    /// It was not stored.
    pub async fn upload_one(&self, upload: Upload) -> Result<String> {
        id_of(self.upload(vec![upload]).await?.first().context("no file in the answer")?)
    }

    /// # Errors
    /// It is not there.
    pub async fn info(&self, file: &str) -> Result<Value> {
        self.get(&format!("/v1/files/{file}/info")).await?.expect(200)?.json()
    }

    /// Polls until `done`, and says what the file was like if it takes longer than `limit`.
    ///
    /// # Errors
    /// Time is up, or the file is gone.
    pub async fn wait_until(&self, file: &str, limit: Duration, done: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let answer = self.get(&format!("/v1/files/{file}/info")).await?;
            // On a machine that is busy with other tests, a query may take longer than the gateway waits for one.
            let busy = answer.status == 503 && Instant::now() < deadline;
            if !busy {
                let info = answer.expect(200)?.json()?;
                if done(&info) {
                    return Ok(info);
                }
                if Instant::now() > deadline {
                    bail!("not within {limit:?}; the file is {info}");
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Until something of it can be played.
    ///
    /// # Errors
    /// It failed, or time is up.
    pub async fn wait_ready(&self, file: &str) -> Result<Value> {
        let info =
            self.wait_until(file, PATIENCE, |info| info["state"] == "ready" || info["state"] == "failed").await?;
        ensure!(info["state"] == "ready", "the file failed: {info}");
        Ok(info)
    }

    /// Until nothing will change any more: failed, or ready with all its renditions.
    ///
    /// # Errors
    /// Time is up.
    pub async fn wait_settled(&self, file: &str, limit: Duration) -> Result<Value> {
        let is_whole = |info: &Value| info["state"] == "ready" && info["progress"] == 1.0;
        self.wait_until(file, limit, |info| info["state"] == "failed" || is_whole(info)).await
    }

    /// A stream token; `wish` is the body of the request (`{}` for the default).
    ///
    /// # Errors
    /// It is refused.
    pub async fn stream_token(&self, wish: &Value) -> Result<String> {
        let answer = self.post_json("/v1/files/token", wish).await?.expect(200)?.json()?;
        Ok(answer["token"].as_str().context("no token in the answer")?.to_owned())
    }

    /// Begins an upload whose bytes the test sends by hand.
    ///
    /// # Errors
    /// The gateway is away.
    pub async fn begin_upload(&self, filename: &str, length: u64) -> Result<SlowUpload> {
        let address = self.base.strip_prefix("http://").context("an http address")?;
        let part = Upload::bytes(filename, "application/octet-stream", Bytes::new()).head();
        let whole = part.len() as u64 + length + 2 + closing().len() as u64;
        let bearer = self.bearer.as_deref().unwrap_or_default();
        let head = format!(
            "POST /v1/files HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {bearer}\r\n\
             Content-Type: {}\r\nContent-Length: {whole}\r\nConnection: close\r\n\r\n",
            form_type()
        );
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&part).await?;
        Ok(SlowUpload { stream })
    }
}

/// What a `POST` of a tus client stands for that can send nothing else.
fn meant<'a>(method: &'a Method, headers: &[(HeaderName, &str)]) -> &'a Method {
    let named = headers.iter().find(|(name, _)| name == "x-http-method-override").map(|(_, value)| *value);
    match named {
        Some("PATCH") => &Method::PATCH,
        Some("DELETE") => &Method::DELETE,
        Some("HEAD") => &Method::HEAD,
        _ => method,
    }
}

/// The id in a file's JSON.
///
/// # Errors
/// There is none.
pub fn id_of(file: &Value) -> Result<String> {
    Ok(file["id"].as_str().with_context(|| format!("no id in {file}"))?.to_owned())
}

/// An upload under way on a bare connection. Dropping it is a client that goes away.
#[derive(Debug)]
pub struct SlowUpload {
    stream: TcpStream,
}

impl SlowUpload {
    /// Sends some of the file.
    ///
    /// # Errors
    /// The gateway has gone.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Ends the form and returns the status of the answer and its body.
    ///
    /// # Errors
    /// The gateway has gone.
    pub async fn finish(mut self) -> Result<(u16, Value)> {
        self.stream.write_all(b"\r\n").await?;
        self.stream.write_all(&closing()).await?;
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).await?;
        let text = String::from_utf8(answer)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no head in the answer")?;
        let status: StatusCode = head.split(' ').nth(1).context("no status in the answer")?.parse()?;
        let mut headers = HeaderMap::new();
        for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(':')) {
            headers.append(name.parse::<HeaderName>()?, value.trim().parse()?);
        }
        let exchange = Exchange {
            method: &Method::POST,
            path: "/v1/files",
            status,
            headers: &headers,
            body: Some(body.as_bytes()),
        };
        Contract::own().hold(&exchange)?;
        Ok((status.as_u16(), serde_json::from_str(body)?))
    }
}
