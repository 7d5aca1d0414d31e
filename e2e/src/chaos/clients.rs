//! Clients: each does one thing after the other, at any gateway, takes no for an answer and comes again, and writes down what it
//! was promised. A refusal or a cut is no fault of the product here; a wrong byte, or a file that is gone, is.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderName, Method, header::RANGE};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    dice::Dice,
    ledger::{Deletion, Doing, Ledger, Promise},
    media::Media,
};
use crate::{
    client::{Answer, Client, Upload, id_of},
    sign_in::SignIn,
    slow_reader::SlowReader,
};

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Files that one organisation keeps; above it clients delete rather than upload.
const KEPT: usize = 40;
const PIECE: usize = 16 << 10;
pub(super) const ORGS: [&str; 2] = ["acme", "globex"];

pub(super) struct Caller {
    org: &'static str,
    gateways: Vec<Client>,
    strangers: Vec<Client>,
    dice: Dice,
    media: Arc<Media>,
    ledger: Arc<Ledger>,
}

impl Caller {
    pub(super) fn new(number: u64, addresses: &[String], dice: Dice, media: Arc<Media>, ledger: Arc<Ledger>) -> Self {
        let of = |org: usize| {
            let jwt = SignIn::member("alice", ORGS[org]).ttl(86_400).jwt();
            addresses.iter().map(|address| Client::new(address).signed_in(jwt.clone())).collect()
        };
        let org = usize::try_from(number).unwrap_or(0) % ORGS.len();
        Self { org: ORGS[org], gateways: of(org), strangers: of(1 - org), dice, media, ledger }
    }

    /// Until it is stopped, between two doings.
    pub(super) async fn live(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let what = self.choose();
            let outcome = match what {
                "upload" => self.upload().await,
                "stream" => self.stream().await,
                "watch" => self.watch().await,
                "delete" => self.delete().await,
                "retry" => self.retry().await,
                _ => self.trespass().await,
            };
            let answer = outcome.unwrap_or_else(|_| "no answer".to_owned());
            self.ledger.count(format!("{what}: {answer}"));
            sleep(self.dice.time(0, 100)).await;
        }
    }

    fn choose(&mut self) -> &'static str {
        let crowded = self.ledger.living(self.org).len() > KEPT;
        match self.dice.below(20) {
            0..=7 if !crowded => "upload",
            0..=7 => "delete",
            8..=12 => "stream",
            13..=15 => "watch",
            16 | 17 => "delete",
            18 => "retry",
            _ => "trespass",
        }
    }

    fn gateway(&mut self) -> (usize, Client) {
        let at = self.dice.below(self.gateways.len());
        (at, self.gateways[at].clone())
    }

    fn some_file(&mut self) -> Option<(String, Promise)> {
        let living = self.ledger.living(self.org);
        (!living.is_empty()).then(|| self.dice.pick(&living).clone())
    }

    async fn upload(&mut self) -> Result<String> {
        let (kind, name, bytes) = self.media.upload(&mut self.dice);
        let (at, client) = self.gateway();
        let _under_way = self.ledger.enter(Doing::Upload, at);
        let upload = Upload::bytes(name, "application/octet-stream", bytes.clone());
        let answer = timeout(PATIENCE, client.post_files("/v1/files", vec![upload])).await??;
        if answer.status == 200 {
            let file = id_of(&answer.json()?["files"][0])?;
            self.ledger.promised(file, Promise { org: self.org, kind, bytes, deletion: Deletion::None });
        }
        Ok(self.told(&answer))
    }

    /// A range, all of it at once.
    async fn stream(&mut self) -> Result<String> {
        let Some((file, promise)) = self.some_file() else { return Ok("nothing there".to_owned()) };
        let (at, client) = self.gateway();
        let _under_way = self.ledger.enter(Doing::Stream, at);
        let Some(path) = self.address(&client, &file).await? else { return Ok("no token".to_owned()) };
        let start = self.dice.below(promise.bytes.len());
        let end = start + self.dice.below((promise.bytes.len() - start).min(1 << 20));
        let range = format!("bytes={start}-{end}");
        let headers: [(HeaderName, &str); 1] = [(RANGE, &range)];
        let answer = timeout(PATIENCE, client.send(Method::GET, &path, &headers, Bytes::new())).await??;
        match answer.status.as_u16() {
            206 if answer.body == promise.bytes[start..=end] => {}
            206 | 200 => self.ledger.broke(format!("{range} of {file} came with other bytes")),
            _ => self.refused(&file, &answer),
        }
        Ok(self.told(&answer))
    }

    /// A long answer, taken piece by piece; each piece that comes must be right, also when the rest does not come.
    async fn watch(&mut self) -> Result<String> {
        let Some((file, promise)) = self.some_file() else { return Ok("nothing there".to_owned()) };
        let (at, client) = self.gateway();
        let _under_way = self.ledger.enter(Doing::Stream, at);
        let Some(path) = self.address(&client, &file).await? else { return Ok("no token".to_owned()) };
        let mut place = self.dice.below(promise.bytes.len());
        let mut reader = timeout(PATIENCE, SlowReader::open(client.base(), &path, place as u64)).await??;
        while place < promise.bytes.len() {
            let length = PIECE.min(promise.bytes.len() - place);
            let piece = timeout(PATIENCE, reader.take(length)).await??;
            if piece != promise.bytes[place..place + length] {
                self.ledger.broke(format!("wrong bytes from {place} on of {file}"));
                bail!("wrong bytes");
            }
            place += length;
            sleep(self.dice.time(0, 20)).await;
        }
        Ok("whole".to_owned())
    }

    async fn delete(&mut self) -> Result<String> {
        let Some((file, _)) = self.some_file() else { return Ok("nothing there".to_owned()) };
        if !self.ledger.begin_deletion(&file) {
            return Ok("somebody was faster".to_owned());
        }
        let (_, client) = self.gateway();
        let answer = timeout(PATIENCE, client.delete(&format!("/v1/files/{file}"))).await??;
        if answer.status == 200 {
            self.ledger.deleted(&file);
        }
        Ok(self.told(&answer))
    }

    async fn retry(&mut self) -> Result<String> {
        let Some((file, _)) = self.some_file() else { return Ok("nothing there".to_owned()) };
        let (_, client) = self.gateway();
        let answer = timeout(PATIENCE, client.post_json(&format!("/v1/files/{file}/retry"), &json!({}))).await??;
        self.refused(&file, &answer);
        Ok(self.told(&answer))
    }

    /// Another organisation asks for the file.
    async fn trespass(&mut self) -> Result<String> {
        let Some((file, _)) = self.some_file() else { return Ok("nothing there".to_owned()) };
        let stranger = self.dice.pick(&self.strangers).clone();
        let Some(path) = self.address(&stranger, &file).await? else { return Ok("no token".to_owned()) };
        for path in [path, format!("/v1/files/{file}"), format!("/v1/files/{file}/info")] {
            let answer = timeout(PATIENCE, stranger.get(&path)).await??;
            if answer.status.is_success() {
                self.ledger.broke(format!("a stranger was given {path}"));
            }
        }
        Ok("refused".to_owned())
    }

    /// Where the exact upload can be had for the next minutes.
    async fn address(&self, client: &Client, file: &str) -> Result<Option<String>> {
        let answer = timeout(PATIENCE, client.post_json("/v1/files/token", &json!({}))).await??;
        if answer.status != 200 {
            self.told(&answer);
            return Ok(None);
        }
        let token = answer.json()?["token"].as_str().unwrap_or_default().to_owned();
        ensure!(!token.is_empty(), "no token in the answer");
        Ok(Some(format!("/v1/files/stream/{file}?rendition=source&token={token}")))
    }

    /// A promised file may be out of reach for a while, but never unknown or forbidden.
    fn refused(&self, file: &str, answer: &Answer) {
        if matches!(answer.status.as_u16(), 401 | 403 | 404) && !self.ledger.is_leaving(file) {
            self.ledger.broke(format!("{} ({}) for {file}, which was promised", answer.status, answer.code()));
        }
    }

    /// The answer in a word. An error that nobody has a name for is broken in itself.
    fn told(&self, answer: &Answer) -> String {
        let code = answer.code();
        if answer.status == 500 {
            self.ledger.broke(format!("a 500: {}", String::from_utf8_lossy(&answer.body)));
        }
        format!("{} {code}", answer.status.as_u16()).trim().to_owned()
    }
}
