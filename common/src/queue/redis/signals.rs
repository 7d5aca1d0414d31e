//! Signals by Redis' publish and subscribe: one channel for the deployment, which nothing is kept in. Whoever listens has a connection of
//! its own; a silent one is asked whether it lives, and made anew when it does not.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt;
use redis::{Client, RedisError, cmd};
use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connection;
use crate::event::{SIGNALS_CAPACITY, Signal, Signals, SignalsError};

/// Sent together; a message is far below any limit of Redis.
const BATCH: usize = 200;
/// After so much silence one asks, and after as much again it is broken.
const SILENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(500);

pub(super) struct RedisSignals {
    connection: Arc<Connection>,
    channel: String,
    heard: broadcast::Sender<Signal>,
    /// Started when somebody listens for the first time; workers never do.
    listening: OnceLock<AbortOnDropHandle<()>>,
}

impl RedisSignals {
    pub(super) fn new(connection: Arc<Connection>, prefix: &str) -> Self {
        let heard = broadcast::Sender::new(SIGNALS_CAPACITY);
        Self { connection, channel: format!("{{{prefix}}}:signals"), heard, listening: OnceLock::new() }
    }
}

#[async_trait]
impl Signals for RedisSignals {
    async fn send(&self, signals: &[Signal]) -> Result<(), SignalsError> {
        for batch in signals.chunks(BATCH) {
            let text = serde_json::to_string(batch).map_err(|error| SignalsError(Box::new(error)))?;
            let mut command = cmd("PUBLISH");
            command.arg(&self.channel).arg(text);
            let told: Result<u64, _> = self.connection.ask(&command).await;
            told.map_err(|error| SignalsError(Box::new(error)))?;
        }
        Ok(())
    }

    fn listen(&self) -> broadcast::Receiver<Signal> {
        let (client, channel, heard) = (self.connection.client(), &self.channel, &self.heard);
        self.listening.get_or_init(|| {
            AbortOnDropHandle::new(tokio::spawn(listen_on(client.clone(), channel.clone(), heard.clone())))
        });
        self.heard.subscribe()
    }
}

/// For ever: whatever breaks is begun anew.
async fn listen_on(client: Client, channel: String, heard: broadcast::Sender<Signal>) {
    loop {
        match listen_once(&client, &channel, &heard).await {
            Ok(()) => tracing::debug!("Redis was silent; its signals are listened to anew"),
            Err(error) => tracing::debug!(%error, "Redis' signals are listened to anew"),
        }
        sleep(AGAIN).await;
    }
}

async fn listen_once(client: &Client, channel: &str, heard: &broadcast::Sender<Signal>) -> Result<(), RedisError> {
    let Ok(subscribed) = timeout(SILENCE, client.get_async_pubsub()).await else { return Ok(()) };
    let (mut sink, mut messages) = subscribed?.split();
    let Ok(subscribed) = timeout(SILENCE, sink.subscribe(channel)).await else { return Ok(()) };
    subscribed?;
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => {
                // Of a newer build, or of somebody else: as good as not sent.
                let signals: Vec<Signal> = serde_json::from_slice(message.get_payload_bytes()).unwrap_or_default();
                signals.into_iter().for_each(|signal| _ = heard.send(signal));
            }
            Ok(None) => return Ok(()),
            Err(_) => match timeout(SILENCE, sink.ping::<redis::Value>()).await {
                Ok(answer) => drop(answer?),
                Err(_) => return Ok(()),
            },
        }
    }
}
