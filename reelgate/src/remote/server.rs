//! One server and who asks it: requests, answers, and errors in the server's own words.

use std::{path::Path, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::{BodyExt, Either, Full, Limited, combinators::UnsyncBoxBody};
use reelgate_common::{
    config::RawConfig,
    http_client::{HttpClient, http_client},
    ids::FileId,
};
use serde_json::Value;
use url::Url;

use super::{body::Content, file::RemoteFile, news::News, path_of};
use crate::{cli, data_dir::DataDir, demo, settings::Settings};

/// More no answer of the API is.
const LONGEST_ANSWER: usize = 64 << 20;

/// A server that is further away than this is none.
const CONNECTING: Duration = Duration::from_secs(10);

type Body = Either<Full<Bytes>, Content>;

#[derive(Clone)]
pub(super) struct Server {
    client: HttpClient<Body>,
    url: Url,
    authorization: String,
}

/// An upload that has begun.
pub(super) struct Begun {
    /// The right to go on with it: it is not shown.
    address: String,
    pub(super) file: FileId,
}

/// An answer that is no success.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({code})")]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) code: String,
    message: String,
    /// Seconds.
    pub(super) retry_after: Option<u64>,
}

impl Server {
    /// # Errors
    /// Nobody is signed in.
    pub(super) fn of(arguments: &cli::Remote, config: Option<&Path>) -> anyhow::Result<Self> {
        let jwt = match &arguments.jwt {
            Some(jwt) => jwt.trim().to_owned(),
            None => sign_in(&arguments.data_dir, config)?,
        };
        let client = http_client(CONNECTING);
        let mut url = arguments.url.clone();
        // What is joined to it goes below it, not beside it.
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { client, url, authorization: format!("Bearer {jwt}") })
    }

    /// JSON, or null for an answer without a body.
    pub(super) async fn ask(&self, method: Method, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        let mut url = self.url.join(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = Request::builder().method(method).uri(Uri::try_from(url.as_str())?);
        self.send(request, Either::Left(Full::default())).await
    }

    /// The same, with a JSON body.
    pub(super) async fn say(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = Request::builder().method(method).uri(Uri::try_from(self.url.join(path)?.as_str())?);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.send(request, Either::Left(Full::from(body.to_string()))).await
    }

    pub(super) async fn file(&self, file: FileId) -> anyhow::Result<RemoteFile> {
        Ok(RemoteFile(self.ask(Method::GET, &path_of(file, "/info"), &[]).await?))
    }

    /// What happens to a file from now on.
    pub(super) async fn news(&self, file: FileId) -> News {
        News(self.listen(file).await.ok())
    }

    async fn listen(&self, file: FileId) -> anyhow::Result<UnsyncBoxBody<Bytes, anyhow::Error>> {
        let mut url = self.url.join("v1/events")?;
        url.query_pairs_mut().append_pair("file_id", &file.to_string());
        let request = Request::builder().uri(Uri::try_from(url.as_str())?).header(AUTHORIZATION, &self.authorization);
        let answer = self.client.request(request.body(Either::Left(Full::default()))?).await?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "no events");
        Ok(answer.into_body().map_err(anyhow::Error::from).boxed_unsync())
    }

    /// A form in one go.
    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], content: Content) -> anyhow::Result<Value> {
        let mut request = Request::builder().method(Method::POST).uri(Uri::try_from(self.url.join(path)?.as_str())?);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, Either::Right(content)).await
    }

    /// An upload by the tus protocol.
    pub(super) async fn begin(&self, size: u64, metadata: &str) -> anyhow::Result<Begun> {
        let request = self.tus(Method::POST, "v1/uploads")?;
        let request = request.header("upload-length", size).header("upload-metadata", metadata);
        let answer = self.exchange(request, Either::Left(Full::default())).await?;
        let address = said(&answer, "location")?.trim_start_matches('/').to_owned();
        Ok(Begun { address, file: said(&answer, "reelgate-file-id")?.parse()? })
    }

    /// Bytes of it that the server has.
    pub(super) async fn reached(&self, begun: &Begun) -> anyhow::Result<u64> {
        let request = self.tus(Method::HEAD, &begun.address)?;
        Ok(said(&self.exchange(request, Either::Left(Full::default())).await?, "upload-offset")?.parse()?)
    }

    pub(super) async fn append(&self, begun: &Begun, at: u64, content: Content) -> anyhow::Result<()> {
        let request = self.tus(Method::PATCH, &begun.address)?.header("upload-offset", at);
        let request = request.header(CONTENT_TYPE, "application/offset+octet-stream");
        self.exchange(request, Either::Right(content)).await.map(drop)
    }

    fn tus(&self, method: Method, path: &str) -> anyhow::Result<http::request::Builder> {
        let uri = Uri::try_from(self.url.join(path)?.as_str())?;
        Ok(Request::builder().method(method).uri(uri).header("tus-resumable", "1.0.0"))
    }

    async fn send(&self, request: http::request::Builder, body: Body) -> anyhow::Result<Value> {
        Ok(self.exchange(request, body).await?.into_body())
    }

    async fn exchange(&self, request: http::request::Builder, body: Body) -> anyhow::Result<Response<Value>> {
        let request = request.header(AUTHORIZATION, &self.authorization).body(body)?;
        let answer = self.client.request(request).await.with_context(|| format!("cannot reach {}", self.url))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(anyhow::Error::from_boxed)?.to_bytes();
        let answer: Value =
            if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() };
        let answer = Response::from_parts(head, answer);
        if answer.status().is_success() { Ok(answer) } else { Err(refused(&answer).into()) }
    }
}

fn sign_in(data_dir: &Path, config: Option<&Path>) -> anyhow::Result<String> {
    anyhow::ensure!(
        data_dir.is_dir(),
        "nobody is signed in: give --jwt (REELGATE_JWT), or the --data-dir of a server on this machine"
    );
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    DataDir::at(data_dir).fill_secrets(&mut settings)?;
    demo::sign_in(&settings.auth)
}

fn said<'a>(answer: &'a Response<Value>, name: &str) -> anyhow::Result<&'a str> {
    let value = answer.headers().get(name).with_context(|| format!("the server did not say {name}"))?;
    Ok(value.to_str()?)
}

fn refused(answer: &Response<Value>) -> Refused {
    let body = answer.body();
    let message = match &body["detail"] {
        Value::String(detail) => detail.clone(),
        Value::Array(details) => {
            details.iter().filter_map(|detail| detail["msg"].as_str()).collect::<Vec<_>>().join("; ")
        }
        // An upload's answer: each file has its own.
        _ => body["files"][0]["error"]["message"].as_str().unwrap_or("the server refused").to_owned(),
    };
    let code = body["code"].as_str().or(body["files"][0]["error"]["code"].as_str());
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Refused {
        status: answer.status(),
        code: code.map_or_else(|| answer.status().as_u16().to_string(), str::to_owned),
        message,
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, body: Value) -> String {
        refused(&Response::builder().status(status).body(body).unwrap()).to_string()
    }

    #[test]
    fn who_is_not_signed_in_is_told_how() {
        let remote = cli::Remote { url: "http://a.example".parse().unwrap(), jwt: None, data_dir: "/no/such".into() };
        let error = Server::of(&remote, None).err().unwrap().to_string();
        assert!(error.contains("--jwt") && error.contains("--data-dir"), "{error}");
    }

    #[test]
    fn errors_are_told_in_the_servers_words() {
        assert_eq!(
            told(404, json!({"detail": "No such file", "code": "file_not_found"})),
            "No such file (file_not_found)"
        );
        let several = json!({"detail": [{"msg": "a"}, {"msg": "b"}], "code": "validation"});
        assert_eq!(told(422, several), "a; b (validation)");
        let file = json!({"files": [{"filename": "a", "error": {"code": "too_large", "message": "Too large"}}]});
        assert_eq!(told(413, file), "Too large (too_large)");
        assert_eq!(told(502, Value::Null), "the server refused (502)");
    }
}
