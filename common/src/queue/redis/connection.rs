//! Talking to a Redis that may be slow, silent or gone: every call has a deadline, blocking reads have connections of
//! their own, and after a failure calls fail at once for a moment instead of each waiting for itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};
use tokio::time::Instant;

use crate::queue::QueueError;

/// How long calls fail at once after one that had no answer.
const COOL_DOWN: Duration = Duration::from_millis(500);
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);
/// Blocking connections kept for the next wait; one worker process waits in one or two places.
const MAX_IDLE: usize = 4;

pub(super) struct Connection {
    client: Client,
    shared: ConnectionManager,
    idle: Mutex<Vec<MultiplexedConnection>>,
    failed_until: Mutex<Option<Instant>>,
    timeout: Duration,
}

impl Connection {
    /// Connects at the first call.
    pub(super) fn new(url: &str, timeout: Duration) -> RedisResult<Self> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_max_delay(MAX_RECONNECT_DELAY);
        let shared = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { client, shared, idle: Mutex::default(), failed_until: Mutex::default(), timeout })
    }

    /// Runs a script; fails at once within the cool-down.
    pub(super) async fn run<T: FromRedisValue + Send>(&self, script: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        self.refuse_within_cool_down()?;
        let mut shared = self.shared.clone();
        self.within(self.timeout, script.invoke_async(&mut shared)).await
    }

    /// Runs a command that does not block; fails at once within the cool-down.
    pub(super) async fn ask<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, QueueError> {
        self.refuse_within_cool_down()?;
        self.probe(command).await
    }

    /// Runs a command also within the cool-down: this is how a probe finds out that Redis is back.
    pub(super) async fn probe<T: FromRedisValue + Send>(&self, command: &Cmd) -> Result<T, QueueError> {
        let mut shared = self.shared.clone();
        self.within(self.timeout, command.query_async(&mut shared)).await
    }

    /// Runs a command that blocks for at most `block`, on a connection of its own: the shared one would stall everybody.
    pub(super) async fn block(&self, command: &Cmd, block: Duration) -> Result<(), QueueError> {
        self.refuse_within_cool_down()?;
        let limit = block + self.timeout;
        let kept = lock(&self.idle).pop();
        if let Some(mut own) = kept {
            // The server may have closed it while it lay idle; that says nothing about the server.
            match self.limited(limit, command.query_async::<redis::Value>(&mut own)).await {
                Err(QueueError::Away(_)) => {}
                answer => return self.noted(answer.map(|_| self.keep(own))),
            }
        }
        let mut own = self.new_connection().await?;
        // On an error or when this future is dropped, so is the connection: a late answer must meet no later command.
        self.within(limit, command.query_async::<redis::Value>(&mut own)).await?;
        self.keep(own);
        Ok(())
    }

    /// For connections that only listen.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    async fn new_connection(&self) -> Result<MultiplexedConnection, QueueError> {
        // The default of 500 ms would hit blocking commands too; `block` holds the deadline instead.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(self.timeout)).set_response_timeout(None);
        self.within(self.timeout, self.client.get_multiplexed_async_connection_with_config(&config)).await
    }

    fn keep(&self, connection: MultiplexedConnection) {
        let mut idle = lock(&self.idle);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }

    /// As `limited`, and noted for the cool-down.
    async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = RedisResult<T>> + Send,
    ) -> Result<T, QueueError> {
        self.noted(self.limited(limit, call).await)
    }

    fn noted<T>(&self, answer: Result<T, QueueError>) -> Result<T, QueueError> {
        let away = matches!(answer, Err(QueueError::Timeout(_) | QueueError::Away(_)));
        *lock(&self.failed_until) = away.then(|| Instant::now() + COOL_DOWN);
        if away {
            lock(&self.idle).clear();
        }
        answer
    }

    /// The client's own timeouts do not cover waiting for a reconnect, hence this one around everything.
    async fn limited<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = RedisResult<T>> + Send,
    ) -> Result<T, QueueError> {
        match tokio::time::timeout(limit, call).await {
            Ok(answer) => answer.map_err(|error| self.meaning(error)),
            Err(_) => Err(QueueError::Timeout(limit)),
        }
    }

    fn meaning(&self, error: RedisError) -> QueueError {
        match error.kind() {
            redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => QueueError::Garbled(error.to_string()),
            _ if is_wrong_type(&error.to_string()) => QueueError::Garbled(error.to_string()),
            _ if error.is_timeout() => QueueError::Timeout(self.timeout),
            _ => QueueError::Away(Arc::new(error)),
        }
    }

    fn refuse_within_cool_down(&self) -> Result<(), QueueError> {
        match *lock(&self.failed_until) {
            Some(until) if Instant::now() < until => Err(QueueError::away("it did not answer a moment ago")),
            _ => Ok(()),
        }
    }
}

/// A key holds something that is not ours; old servers hide the code inside the script's error.
pub(super) fn is_wrong_type(message: &str) -> bool {
    message.contains("WRONGTYPE")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
