//! A listener to server-sent events, as a browser is one: it remembers the last number it was told, and connects again with it. Each event is
//! held against the API's document.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderName, Method};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::{client::Client, contract::Contract};

/// One event that was dispatched.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Of what is in the log.
    pub id: Option<i64>,
    pub kind: String,
    pub data: Value,
}

impl Heard {
    /// Which file it is of.
    #[must_use]
    pub fn file(&self) -> &str {
        self.data["file_id"].as_str().unwrap_or_default()
    }
}

#[derive(Debug)]
pub struct Listener {
    body: Incoming,
    text: String,
    /// What is said at the next connection.
    pub last_id: Option<i64>,
    /// Comments heard.
    pub comments: usize,
    held: bool,
}

impl Listener {
    /// # Errors
    /// The gateway is away, or does not answer with 200 and events.
    pub async fn open(client: &Client, path: &str, last_id: Option<i64>) -> Result<Self> {
        let last = last_id.map(|id| id.to_string());
        let headers: Vec<(HeaderName, &str)> =
            last.iter().map(|id| (HeaderName::from_static("last-event-id"), id.as_str())).collect();
        let answer = client.open(Method::GET, path, &headers).await?;
        ensure!(answer.status() == 200, "{} for {path}", answer.status());
        ensure!(answer.headers()["content-type"] == "text/event-stream", "{:?}", answer.headers());
        Ok(Self { body: answer.into_body(), text: String::new(), last_id, comments: 0, held: client.is_held() })
    }

    /// The next event; `None` when the gateway has ended the answer in order.
    ///
    /// # Errors
    /// The connection broke, or what came is no event.
    ///
    /// # Panics
    /// The event is not as the API's document has it.
    pub async fn next(&mut self) -> Result<Option<Heard>> {
        loop {
            while let Some((block, rest)) =
                self.text.split_once("\n\n").map(|(block, rest)| (block.to_owned(), rest.to_owned()))
            {
                self.text = rest;
                if let Some(heard) = self.dispatch(&block)? {
                    return Ok(Some(heard));
                }
            }
            let Some(frame) = self.body.frame().await.transpose()? else { return Ok(None) };
            let bytes: Bytes = frame.into_data().ok().context("trailers")?;
            self.text.push_str(std::str::from_utf8(&bytes)?);
        }
    }

    /// The next one in the log.
    ///
    /// # Errors
    /// As `next`, and when the answer ends.
    pub async fn next_durable(&mut self) -> Result<Heard> {
        loop {
            let heard = self.next().await?.context("the answer has ended")?;
            if heard.id.is_some() {
                return Ok(heard);
            }
        }
    }

    fn dispatch(&mut self, block: &str) -> Result<Option<Heard>> {
        let (mut id, mut kind, mut data) = (None, String::new(), String::new());
        for line in block.lines() {
            match line.split_once(':').context("a line without a colon")? {
                ("", _) => self.comments += 1,
                ("id", value) => id = Some(value.trim().parse::<i64>()?),
                ("event", value) => value.trim().clone_into(&mut kind),
                ("data", value) => data.push_str(value),
                ("retry", value) => ensure!(value.trim().parse::<u64>().is_ok(), "{line}"),
                _ => anyhow::bail!("{line}"),
            }
        }
        self.last_id = id.or(self.last_id);
        if data.is_empty() {
            return Ok(None);
        }
        let data = serde_json::from_str(&data)?;
        if self.held {
            Contract::own().hold_event(&kind, &data).unwrap_or_else(|wrong| panic!("{wrong}"));
        }
        Ok(Some(Heard { id, kind, data }))
    }
}
