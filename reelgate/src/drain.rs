//! `reelgate drain`: asks a gateway or a worker at its operations port to take nothing new, and returns when it has ended.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use reelgate_common::http_client::{HttpClient, http_client};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::cli;

const CONNECTING: Duration = Duration::from_secs(5);
/// Longest wait for an answer: `/readyz` asks three services for two seconds each, at the same time.
const ANSWERING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);
const LONGEST_ANSWER: usize = 1 << 20;

/// What is seen of a process that was asked.
enum Seen {
    Draining,
    /// Nobody answers, or somebody who does not drain: a supervisor has started it again.
    Gone,
}

struct Ops {
    client: HttpClient<Empty<Bytes>>,
    url: Url,
}

/// Waits for the end of all of them, or fails when the time is over.
pub(crate) async fn run(arguments: &cli::Drain) -> anyhow::Result<ExitCode> {
    let ops = || arguments.urls.iter().map(|url| Ops { client: http_client(CONNECTING), url: url.clone() });
    // All are asked first: they drain at the same time.
    for ops in ops() {
        ops.ask().await?;
    }
    let deadline = arguments.timeout.map(|limit| Instant::now() + limit.0);
    for ops in ops() {
        ops.gone(deadline).await?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Ops {
    async fn ask(&self) -> anyhow::Result<()> {
        let (status, _) =
            self.send(Method::POST, "/drain").await.with_context(|| format!("cannot reach {}", self.url))?;
        anyhow::ensure!(
            status == StatusCode::ACCEPTED,
            "{} answers {status} to /drain: is it an operations port?",
            self.url
        );
        Ok(())
    }

    async fn gone(&self, deadline: Option<Instant>) -> anyhow::Result<()> {
        while matches!(self.look().await, Seen::Draining) {
            anyhow::ensure!(deadline.is_none_or(|deadline| Instant::now() < deadline), "{} still drains", self.url);
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// One that is too busy to answer in time is still there.
    async fn look(&self) -> Seen {
        match timeout(ANSWERING, self.send(Method::GET, "/readyz")).await {
            Err(_) => Seen::Draining,
            Ok(Ok((_, body))) if body["draining"] == true => Seen::Draining,
            Ok(_) => Seen::Gone,
        }
    }

    async fn send(&self, method: Method, path: &str) -> anyhow::Result<(StatusCode, Value)> {
        let uri = Uri::try_from(self.url.join(path)?.as_str())?;
        let answer = self.client.request(Request::builder().method(method).uri(uri).body(Empty::new())?).await?;
        let status = answer.status();
        let body =
            Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await.map_err(anyhow::Error::from_boxed)?;
        Ok((status, serde_json::from_slice(&body.to_bytes()).unwrap_or_default()))
    }
}
