//! Forgets playback leases that ended long ago, and epochs that nothing is older than.

use std::time::Duration;

use reelgate_common::tokens::MAX_STREAM_TOKEN_TTL;

use super::{DutyError, Ground};

/// For so long a client that comes back hears that its playback has ended, and not only that its token has expired.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let db = &ground.backends.db;
    let leases = db.purge_leases(ground.leases.idle() + REMEMBERED).await?;
    Ok(leases + db.purge_epochs(MAX_STREAM_TOKEN_TTL).await?)
}
