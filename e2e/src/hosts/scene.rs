//! What all clients share: whom they ask, what they were promised, how they were answered, and what is away at the moment.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use http::{Method, header::RANGE};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    cast::GATEWAYS,
    tally::{Doing, Tally, Trouble},
};
use crate::{
    chaos::ledger::{Deletion, Ledger, Promise},
    chaos::media::Kind,
    client::{Answer, Client, Upload, id_of},
};

/// Beyond every limit of the product's own, one after the other: who waits longer was forgotten.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long a client waits before it asks again, at most.
const AGAIN: Duration = Duration::from_secs(1);
pub(super) const ORG: &str = "acme";

/// Whom a client asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// One gateway and no other.
    At(usize),
    /// As behind a load balancer: in turn whoever says that it is ready, and where no connection comes about the other one.
    Balanced,
}

/// What is played all the time.
#[derive(Debug, Clone)]
pub(super) struct Film {
    pub(super) id: String,
    pub(super) bytes: Bytes,
}

pub(super) struct Scene {
    /// All as the same person.
    gateways: Vec<Client>,
    ready: [AtomicBool; GATEWAYS],
    pub(super) film: Film,
    pub(super) ledger: Ledger,
    trouble: Mutex<Trouble>,
    tally: Mutex<Tally>,
    /// Nothing new is begun.
    pub(super) stop: CancellationToken,
}

impl Scene {
    pub(super) fn new(gateways: Vec<Client>, film: Film) -> Self {
        let ledger = Ledger::default();
        let promise = Promise { org: ORG, kind: Kind::Plain, bytes: film.bytes.clone(), deletion: Deletion::None };
        ledger.promised(film.id.clone(), promise);
        Self {
            gateways,
            ready: std::array::from_fn(|_| AtomicBool::new(true)),
            film,
            ledger,
            trouble: Mutex::default(),
            tally: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.stop.is_cancelled()
    }

    /// Waits, unless all is to stop.
    pub(super) async fn pause(&self, time: Duration) {
        drop(timeout(time, self.stop.cancelled()).await);
    }

    /// From now on this is away.
    pub(super) fn suffer(&self, trouble: Trouble) {
        *lock(&self.trouble) = trouble;
    }

    pub(super) fn trouble(&self) -> Trouble {
        lock(&self.trouble).clone()
    }

    /// What was counted since the last time.
    pub(super) fn take_tally(&self) -> Tally {
        std::mem::take(&mut lock(&self.tally))
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// Says of each gateway whether it is ready, again and again, as a load balancer asks.
    pub(super) async fn follow(&self, ops: Vec<Client>, every: Duration) {
        while self.goes_on() {
            for (ready, ops) in self.ready.iter().zip(&ops) {
                let said = timeout(AGAIN, ops.get("/readyz")).await;
                ready.store(said.is_ok_and(|said| said.is_ok_and(|said| said.status == 200)), Ordering::SeqCst);
            }
            self.pause(every).await;
        }
    }

    /// Whom to try, in this order.
    pub(super) fn gateways(&self, way: Way, turn: usize) -> Vec<(usize, Client)> {
        let of = |at: usize| (at, self.gateways[at].clone());
        match way {
            Way::At(at) => vec![of(at)],
            Way::Balanced => {
                let mut order: Vec<usize> = (0..GATEWAYS).map(|at| (at + turn) % GATEWAYS).collect();
                // Whoever is not ready comes last, and is asked when nobody is.
                order.sort_by_key(|at| !self.ready[*at].load(Ordering::SeqCst));
                order.into_iter().map(of).collect()
            }
        }
    }

    /// Asks, counts, and gives back a success.
    pub(super) async fn ask<F>(
        &self,
        doing: Doing,
        way: Way,
        turn: usize,
        request: impl Fn(Client) -> F + Send,
    ) -> Option<Answer>
    where
        F: Future<Output = Result<Answer>> + Send,
    {
        let before = self.trouble();
        let mut last = None;
        for (at, client) in self.gateways(way, turn) {
            let answer = timeout(PATIENCE, request(client)).await;
            let answer = answer.unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}")));
            let is_refused = answer.as_ref().is_err_and(is_no_connection);
            last = Some((at, answer));
            if !is_refused {
                break;
            }
        }
        let (at, answer) = last?;
        self.tally().count(doing, at, (&before, &self.trouble()), answer)
    }

    /// Uploads until it is taken, under one key, as clients do that must not upload twice.
    pub(super) async fn upload(&self, way: Way, turn: usize, kind: Kind, name: &str, bytes: Bytes) {
        let key = uuid::Uuid::new_v4().to_string();
        let request = |client: Client| {
            let upload = Upload::bytes(name, "application/octet-stream", bytes.clone());
            let client = client.repeating(&key);
            async move { client.post_files("/v1/files", vec![upload]).await }
        };
        let delivering = async {
            for attempt in turn.. {
                if let Some(answer) = self.ask(Doing::Upload, way, attempt, &request).await {
                    return answer;
                }
                sleep(AGAIN).await;
            }
            unreachable!("a client asks until it is answered")
        };
        let Ok(answer) = timeout(2 * PATIENCE, delivering).await else {
            return self.tally().wrong(Doing::Upload, format!("{name} was never taken"));
        };
        match answer.json().and_then(|answer| id_of(&answer["files"][0])) {
            Ok(file) => self.ledger.promised(file, Promise { org: ORG, kind, bytes, deletion: Deletion::None }),
            Err(error) => self.tally().wrong(Doing::Upload, format!("{name}: {error:#}")),
        }
    }

    /// The address of a file under a new token.
    pub(super) async fn address(&self, way: Way, turn: usize, file: &str) -> Option<String> {
        let request = |client: Client| async move { client.post_json("/v1/files/token", &serde_json::json!({})).await };
        let answer = self.ask(Doing::Token, way, turn, request).await?;
        let token = answer.json().ok()?["token"].as_str()?.to_owned();
        Some(format!("/v1/files/stream/{file}?rendition=source&token={token}"))
    }

    /// Reads a range and holds it against what was sent.
    pub(super) async fn read(&self, doing: Doing, way: Way, turn: usize, path: &str, start: usize, whole: &Bytes) {
        let expected = whole.slice(start..whole.len().min(start + (64 << 10)));
        let range = format!("bytes={start}-{}", start + expected.len() - 1);
        let request = |client: Client| {
            let (path, range) = (path.to_owned(), range.clone());
            async move { client.send(Method::GET, &path, &[(RANGE, &range)], Bytes::new()).await }
        };
        if let Some(answer) = self.ask(doing, way, turn, request).await
            && answer.body != expected
        {
            self.tally().wrong(doing, format!("other bytes at {start} of {path}"));
        }
    }
}

/// Whether nothing was sent yet, so that it may as well be sent elsewhere.
fn is_no_connection(error: &anyhow::Error) -> bool {
    let http = error.chain().find_map(|cause| cause.downcast_ref::<hyper_util::client::legacy::Error>());
    http.is_some_and(hyper_util::client::legacy::Error::is_connect)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
