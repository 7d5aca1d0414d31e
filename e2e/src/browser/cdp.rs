//! The browser's debugging protocol over two pipes: JSON messages, each ended by a NUL. Knows orders, answers and events, and
//! nothing of what they mean.

use std::{
    collections::HashMap,
    process::{ChildStdin as StdChildStdin, ChildStdout as StdChildStdout},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{ChildStdin, ChildStdout},
    sync::{Mutex as AsyncMutex, oneshot},
};

use super::PATIENCE;

/// One connection; clones share it.
#[derive(Clone)]
pub(super) struct Cdp(Arc<Shared>);

struct Shared {
    input: AsyncMutex<ChildStdin>,
    next: AtomicU64,
    /// Nothing once the browser has gone.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>,
    events: Mutex<Vec<Value>>,
}

impl Cdp {
    /// # Errors
    /// The pipes are of no use.
    pub(super) fn open(input: StdChildStdin, output: StdChildStdout) -> Result<Self> {
        let (input, output) = (ChildStdin::from_std(input)?, ChildStdout::from_std(output)?);
        let shared = Arc::new(Shared {
            input: AsyncMutex::new(input),
            next: AtomicU64::new(1),
            waiting: Mutex::new(Some(HashMap::new())),
            events: Mutex::default(),
        });
        tokio::spawn(listen(shared.clone(), output));
        Ok(Self(shared))
    }

    /// Sends an order to the browser, or to the page of `session`, and waits for its result.
    ///
    /// # Errors
    /// It is refused, is not answered in time, or the browser has gone.
    pub(super) async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(session, method, params)).await;
        let answer = answer.with_context(|| format!("{method} is not answered"))?.with_context(|| method.to_owned())?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].clone())
    }

    async fn exchange(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let receiver = self.0.expect(id).context("the browser has gone")?;
        self.0.input.lock().await.write_all(format!("{message}\0").as_bytes()).await?;
        receiver.await.context("the browser has gone")
    }

    /// What the page of `session` has told so far.
    pub(super) fn events(&self, session: &str) -> Vec<Value> {
        let events = self.0.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| event["sessionId"] == session).cloned().collect()
    }
}

async fn listen(shared: Arc<Shared>, output: ChildStdout) {
    let mut output = BufReader::new(output);
    let mut message = Vec::new();
    while output.read_until(0, &mut message).await.is_ok_and(|length| length > 0) {
        message.pop();
        if let Ok(value) = serde_json::from_slice(&message) {
            shared.take(value);
        }
        message.clear();
    }
    // Whoever still waits hears that nothing will come.
    shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
}

impl Shared {
    /// Nothing if no answer can come any more.
    fn expect(&self, id: u64) -> Option<oneshot::Receiver<Value>> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.insert(id, sender);
        Some(receiver)
    }

    fn take(&self, message: Value) {
        let Some(id) = message["id"].as_u64() else {
            self.events.lock().unwrap_or_else(PoisonError::into_inner).push(message);
            return;
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waiting.as_mut().and_then(|waiting| waiting.remove(&id)) {
            // Nobody may wait any more.
            drop(sender.send(message));
        }
    }
}
