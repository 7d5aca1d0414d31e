//! Runs the scripts, and once more after keys of a foreign type were moved aside.

use std::sync::Arc;

use redis::{FromRedisValue, ScriptInvocation};

use super::{
    connection::{Connection, is_wrong_type},
    scripts::Scripts,
};
use crate::{lane::Lane, queue::QueueError};

pub(super) struct Transitions {
    pub(super) connection: Arc<Connection>,
    pub(super) scripts: Scripts,
}

impl Transitions {
    /// Runs a transition. If somebody put a foreign type under one of our keys, it is moved aside once and the
    /// transition runs again.
    pub(super) async fn run<T: FromRedisValue + Send>(&self, script: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        match self.connection.run(script).await {
            Err(QueueError::Garbled(message)) if is_wrong_type(&message) => {
                self.repair().await?;
                self.connection.run(script).await
            }
            answer => answer,
        }
    }

    pub(super) async fn repair(&self) -> Result<(), QueueError> {
        let mut moved: u64 = 0;
        for lane in Lane::ALL {
            moved += self.connection.run::<u64>(&self.scripts.repair(*lane)).await?;
        }
        tracing::warn!(moved, "Keys of the queue held foreign data; they were moved aside.");
        Ok(())
    }
}
