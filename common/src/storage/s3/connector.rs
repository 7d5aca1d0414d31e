//! HTTP for `object_store`: hyper with a timeout for each step and none for the whole, since viewers are slow. Knows no S3.

mod body;

use std::{pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::StatusCode;
use object_store::{
    ClientOptions,
    client::{
        HttpClient as StoreClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};

use self::body::{Download, Progress, Upload};
use super::error::Mark;
use crate::{
    http_client::{HttpClient, http_client},
    storage::config::StorageConfig,
};

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    connect: Duration,
    header: Duration,
    idle: Duration,
}

impl Patience {
    pub(super) fn of(config: &StorageConfig) -> Self {
        Self {
            connect: Duration::from_millis(config.connect_timeout_ms),
            header: Duration::from_millis(config.header_timeout_ms),
            idle: Duration::from_millis(config.idle_timeout_ms),
        }
    }
}

/// One pool of connections for all of a store's clients.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    client: HttpClient<Upload>,
    patience: Patience,
    refusing_unavailable: bool,
}

impl Connector {
    pub(super) fn new(patience: Patience) -> Self {
        Self { client: http_client(patience.connect), patience, refusing_unavailable: false }
    }

    /// Turns 5xx and its like into errors that can be told apart; `object_store` would hide the status.
    pub(super) fn refusing_unavailable(self) -> Self {
        Self { refusing_unavailable: true, ..self }
    }

    pub(super) fn service(&self) -> impl HttpService + use<> {
        Service(self.clone())
    }

    /// The head must come within the header timeout, counted from the last progress of the request's own body.
    async fn ask(&self, request: HttpRequest) -> Result<http::Response<hyper::body::Incoming>, HttpError> {
        let progress = Arc::new(Progress::default());
        let mut answer = pin!(self.client.request(request.map(|body| Upload::new(body, Arc::clone(&progress)))));
        loop {
            let before = progress.seen();
            match tokio::time::timeout(self.patience.header, &mut answer).await {
                Ok(answer) => return answer.map_err(classify),
                Err(_) if progress.seen() != before => {}
                Err(_) => return Err(Mark::Silent.error()),
            }
        }
    }

    fn refusal(&self, status: StatusCode) -> Option<Mark> {
        match status {
            StatusCode::INSUFFICIENT_STORAGE => Some(Mark::Full),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT if self.refusing_unavailable => {
                Some(Mark::Unavailable(status.as_u16()))
            }
            _ if self.refusing_unavailable && status.is_server_error() => Some(Mark::Unavailable(status.as_u16())),
            _ => None,
        }
    }
}

impl HttpConnector for Connector {
    /// The options are not used: theirs is a limit of the whole, which would cut slow viewers.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<StoreClient> {
        Ok(StoreClient::new(self.service()))
    }
}

#[derive(Debug)]
struct Service(Connector);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.ask(request).await?;
        if let Some(mark) = self.0.refusal(response.status()) {
            return Err(mark.error());
        }
        let idle = self.0.patience.idle;
        Ok(response.map(|body| HttpResponseBody::new(Download::new(body, idle))))
    }
}

/// What is not a failure to connect may be repeated as well: all that we send is idempotent.
fn classify(error: hyper_util::client::legacy::Error) -> HttpError {
    let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request };
    HttpError::new(kind, error)
}
