//! Fetching and refreshing a JWKS from a file or an address. Keys once read stay until better ones arrive: a provider
//! that is away must sign nobody out.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use jsonwebtoken::Validation;
use tokio::{io::AsyncReadExt, sync::Mutex, time::Instant};

use super::keys::KeySet;
use crate::http_client::{HttpClient, http_client};

/// Real documents have a few KiB.
const MAX_DOCUMENT: usize = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Anybody can send an unknown `kid`; this bounds what that costs the provider. Also the retry interval after a failure.
const MIN_INTERVAL: Duration = Duration::from_secs(10);

enum Source {
    File(PathBuf),
    Address(Uri, Box<HttpClient<Empty<Bytes>>>),
}

pub(super) struct Jwks {
    source: Source,
    rules: Validation,
    current: ArcSwapOption<KeySet>,
    last: Mutex<LastFetch>,
}

#[derive(Default)]
struct LastFetch {
    at: Option<Instant>,
    failed: bool,
}

impl Jwks {
    /// Does not fetch yet.
    pub(super) fn new(place: &str, rules: Validation) -> Result<Self, String> {
        let source = if place.starts_with("http://") || place.starts_with("https://") {
            let uri = place.parse().map_err(|error| format!("auth.jwks is not an address: {error}"))?;
            let client = http_client(CONNECT_TIMEOUT);
            Source::Address(uri, Box::new(client))
        } else {
            Source::File(PathBuf::from(place))
        };
        Ok(Self { source, rules, current: ArcSwapOption::empty(), last: Mutex::default() })
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// The keys read last; `None` before the first success.
    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    /// Fetches now.
    pub(super) async fn refresh(&self) -> Result<(), String> {
        let mut last = self.last.lock().await;
        self.fetch_into(&mut last).await
    }

    /// Fetches unless that was done a moment ago, and never twice at once. Whether the keys are as fresh as can be had:
    /// `false` says that the last fetch failed.
    pub(super) async fn refresh_for_unknown_kid(&self) -> bool {
        let mut last = self.last.lock().await;
        if last.at.is_none_or(|at| at.elapsed() >= MIN_INTERVAL)
            && let Err(error) = self.fetch_into(&mut last).await
        {
            tracing::warn!(jwks = %self.source, %error, "The JWKS could not be read for an unknown key; known keys stay.");
        }
        !last.failed
    }

    /// Refreshes for ever, sooner after a failure.
    pub(super) async fn keep_fresh(self: Arc<Self>, every: Duration) {
        loop {
            let failed = self.last.lock().await.failed;
            tokio::time::sleep(if failed { every.min(MIN_INTERVAL) } else { every }).await;
            if let Err(error) = self.refresh().await {
                tracing::warn!(jwks = %self.source, %error, "The JWKS could not be refreshed; known keys stay.");
            }
        }
    }

    async fn fetch_into(&self, last: &mut LastFetch) -> Result<(), String> {
        // Marked before the wait: a caller that gives up must not open the way for the next one at once.
        *last = LastFetch { at: Some(Instant::now()), failed: true };
        let document = match tokio::time::timeout(FETCH_TIMEOUT, self.source.read()).await {
            Ok(document) => document?,
            Err(_) => return Err(format!("no answer within {FETCH_TIMEOUT:?}")),
        };
        self.current.store(Some(Arc::new(KeySet::parse(&document, &self.rules)?)));
        last.failed = false;
        Ok(())
    }
}

impl Source {
    async fn read(&self) -> Result<Bytes, String> {
        match self {
            Self::File(path) => read_file(path).await.map_err(|error| error.to_string()),
            Self::Address(uri, client) => get(uri, client).await,
        }
    }
}

impl fmt::Display for Source {
    /// An address without its query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Address(uri, _) => write!(f, "{}{}", uri.host().unwrap_or_default(), uri.path()),
        }
    }
}

async fn read_file(path: &Path) -> std::io::Result<Bytes> {
    let file = tokio::fs::File::open(path).await?;
    let mut document = Vec::new();
    file.take(MAX_DOCUMENT as u64 + 1).read_to_end(&mut document).await?;
    if document.len() > MAX_DOCUMENT {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(document.into())
}

/// Redirects are not followed: the address in the configuration is the one that is trusted.
async fn get(uri: &Uri, client: &HttpClient<Empty<Bytes>>) -> Result<Bytes, String> {
    let request = http::Request::get(uri).header(header::ACCEPT, "application/json");
    let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("it answered {}", response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_DOCUMENT).collect().await;
    Ok(body.map_err(|error| error.to_string())?.to_bytes())
}
