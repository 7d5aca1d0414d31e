//! Drops events that are older than anybody may come back for, and leases of listeners that ended long ago.

use super::{DutyError, Ground};

/// Events dropped of one organisation in one turn.
const LIMIT: u64 = 5_000;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let db = &ground.backends.db;
    let dropped = db.prune_events(ground.keep_events, LIMIT).await?;
    Ok(dropped + db.purge_listeners(ground.leases.idle()).await?)
}
