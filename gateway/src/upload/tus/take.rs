//! Taking an upload over: whoever has it is asked to save what it has and to let go, and is not waited for any longer than a living one
//! would take.

use std::time::Duration;

use reelgate_common::{
    db::ClaimedResumable,
    resumable::{Hold, Resumable},
};
use tokio::time::{Instant, sleep};

use super::{Desk, address::Secret, error::TusError, holds::Holding};

const LOOK: Duration = Duration::from_millis(30);

/// An upload that this request may write.
pub(super) struct Taken {
    pub(super) hold: Hold,
    pub(super) holding: Holding,
}

pub(super) enum Outcome {
    Taken(Box<Taken>),
    /// There is nothing more to write.
    Finished(Box<Resumable>),
}

impl Desk {
    pub(super) async fn take(&self, secret: &Secret) -> Result<Outcome, TusError> {
        self.take_digest(&secret.digest()).await
    }

    pub(super) async fn take_digest(&self, address: &str) -> Result<Outcome, TusError> {
        let end = Instant::now() + self.config().take_over();
        let mut force = false;
        loop {
            match self.db().claim_resumable(address, self.process(), force).await? {
                ClaimedResumable::Gone => return Err(TusError::NotFound),
                ClaimedResumable::Finished(over) => return Ok(Outcome::Finished(over)),
                ClaimedResumable::Taken(hold) => {
                    let holding = self.uploads().holds.enter(hold.resumable.file_id, hold.resumable.fence);
                    return Ok(Outcome::Taken(Box::new(Taken { hold: *hold, holding })));
                }
                ClaimedResumable::Held(file) => self.uploads().holds.want(file),
            }
            force = Instant::now() >= end;
            sleep(LOOK).await;
        }
    }
}
