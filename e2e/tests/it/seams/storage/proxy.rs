//! A network between us and the store that can be told to misbehave. One rule at a time; each rule is used up when it
//! has struck, but for `Silence`.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    Pass,
    /// The connection breaks after so many bytes of answers.
    CutAfter(usize),
    /// Nothing is answered any more after so many bytes of answers.
    Silence(usize),
    /// The answer to a Complete is lost, after the store has sent it.
    LoseComplete,
    /// A Complete does not reach the store and gets this answer.
    AnswerComplete(String),
}

#[derive(Debug)]
struct State {
    rule: Mutex<Rule>,
    /// Bytes of answers taken from the store.
    taken: watch::Sender<usize>,
    /// Connections that are open.
    open: watch::Sender<usize>,
}

pub(super) struct Proxy {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state =
            Arc::new(State { rule: Mutex::new(Rule::Pass), taken: watch::Sender::new(0), open: watch::Sender::new(0) });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                state.open.send_modify(|open| *open += 1);
                tokio::spawn(async move {
                    // Broken connections are what it is for.
                    let _ = state.serve(client, target).await;
                    state.open.send_modify(|open| *open -= 1);
                });
            }
        });
        Ok(Self { port, state, task })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn set(&self, rule: Rule) {
        *self.state.rule.lock().unwrap() = rule;
    }

    pub(super) fn rule(&self) -> Rule {
        self.state.rule.lock().unwrap().clone()
    }

    pub(super) fn taken(&self) -> usize {
        *self.state.taken.borrow()
    }

    /// Waits until no connection is open.
    pub(super) async fn all_closed(&self) -> Result<()> {
        self.state.open.subscribe().wait_for(|open| *open == 0).await?;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    async fn serve(&self, client: TcpStream, target: u16) -> Result<()> {
        let store = TcpStream::connect(("127.0.0.1", target)).await?;
        let ((client_read, client_write), (store_read, store_write)) = (client.into_split(), store.into_split());
        let client_write = Arc::new(tokio::sync::Mutex::new(client_write));
        tokio::select! {
            done = self.requests(client_read, store_write, &client_write) => done,
            done = self.answers(store_read, &client_write) => done,
        }
    }

    async fn requests(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        back: &tokio::sync::Mutex<OwnedWriteHalf>,
    ) -> Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let size = from.read(&mut buffer).await?;
            if size == 0 {
                return Ok(());
            }
            let answer = match self.rule.lock().unwrap().clone() {
                Rule::AnswerComplete(answer) if is_complete(&buffer[..size]) => Some(answer),
                _ => None,
            };
            match answer {
                Some(text) => {
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
                    back.lock().await.write_all((head + &text).as_bytes()).await?;
                    return Ok(());
                }
                None => to.write_all(&buffer[..size]).await?,
            }
            if is_complete(&buffer[..size]) && self.rule.lock().unwrap().clone() == Rule::LoseComplete {
                *self.rule.lock().unwrap() = Rule::CutAfter(0);
            }
        }
    }

    async fn answers(&self, mut from: OwnedReadHalf, to: &tokio::sync::Mutex<OwnedWriteHalf>) -> Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let size = from.read(&mut buffer).await?;
            if size == 0 {
                return Ok(());
            }
            self.state_taken(size);
            let (allowed, last) = self.allow(size);
            to.lock().await.write_all(&buffer[..allowed]).await?;
            match last {
                Last::No => {}
                Last::Cut => return Ok(()),
                Last::Silent => std::future::pending().await,
            }
        }
    }

    fn state_taken(&self, size: usize) {
        self.taken.send_modify(|taken| *taken += size);
    }

    /// How many of these bytes may pass, and what comes then.
    fn allow(&self, size: usize) -> (usize, Last) {
        let mut rule = self.rule.lock().unwrap();
        match &mut *rule {
            Rule::CutAfter(left) if *left <= size => {
                let allowed = *left;
                *rule = Rule::Pass;
                (allowed, Last::Cut)
            }
            Rule::Silence(left) if *left <= size => (std::mem::take(left), Last::Silent),
            Rule::CutAfter(left) | Rule::Silence(left) => {
                *left -= size;
                (size, Last::No)
            }
            Rule::Pass | Rule::LoseComplete | Rule::AnswerComplete(_) => (size, Last::No),
        }
    }
}

enum Last {
    No,
    Cut,
    Silent,
}

fn is_complete(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.starts_with(b"POST ") && String::from_utf8_lossy(line).contains("uploadId=")
}
