//! Says every now and then that this worker lives and how much of what it can do at once, for whoever decides whether work is shared.

use reelgate_common::{
    db::{Db, presence::PRESENCE_EVERY},
    ids::ProcessId,
    lane::Lanes,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Until `stop`, when it says that it leaves.
pub(crate) async fn keep(db: Db, worker: ProcessId, (slots, lanes): (u32, Lanes), stop: CancellationToken) {
    loop {
        if let Err(error) = db.attend(&worker, slots, lanes).await {
            tracing::debug!(%error, "nobody was told that this worker lives");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(PRESENCE_EVERY) => {}
        }
    }
    if let Err(error) = db.leave(&worker).await {
        tracing::debug!(%error, "nobody was told that this worker leaves");
    }
}
