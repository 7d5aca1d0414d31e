//! Something has happened to a file: heard from the server's live events. What it was is asked for anew, so an event that is missed costs
//! no more than a moment, and a server without events is asked now and then.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tokio::time::{sleep, timeout};

/// Between two looks at a server that tells nothing by itself: soon enough for a person.
const LOOK: Duration = Duration::from_millis(500);
/// No event is that important, but a connection that has died in silence must not be waited for.
const LONGEST: Duration = Duration::from_secs(5);

/// `None` when nobody tells anything.
pub(super) struct News(pub(super) Option<UnsyncBoxBody<Bytes, anyhow::Error>>);

impl News {
    /// Returns when something may have happened.
    pub(super) async fn wait(&mut self) {
        let Some(body) = &mut self.0 else { return sleep(LOOK).await };
        match timeout(LONGEST, body.frame()).await {
            Ok(Some(Ok(_))) | Err(_) => {}
            // It has ended, or broken.
            Ok(None | Some(Err(_))) => self.0 = None,
        }
    }
}
